import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { EvicpressError, errors, systemFault } from '../errors.js';

/** A line longer than this is refused rather than held in memory. */
const MAX_LINE_BYTES = 64 * 2 ** 20;
const CHUNK_BYTES = 1 << 20;
const NEWLINE = 10;
const GZIP_MAGIC = 0x8b1f;
const ZSTD_MAGIC = 0xfd2fb528;

/** Whole lines, as bytes: what a parser of a large file works on. */
export interface LineBatch {
  readonly bytes: Buffer;
  /** Number of the first line in the batch, from 1. */
  readonly firstLine: number;
  /** Where each line ends: its newline, or the end of the bytes. */
  readonly ends: readonly number[];
}

/**
 * Reads a file in batches of whole lines, about a megabyte each; gzip and zstd are recognised by content.
 * @throws EvicpressError where the file is cut short or has an overlong line, or the system refuses.
 */
export async function* readLineBatches(path: string): AsyncGenerator<LineBatch> {
  let rest: Buffer | undefined;
  let firstLine = 1;
  try {
    for await (const chunk of readDecompressed(path)) {
      const bytes: Buffer = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
      const ends: number[] = [];
      for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) ends.push(at);
      const end = ends.length === 0 ? 0 : ends[ends.length - 1]! + 1;
      if (bytes.length - end > MAX_LINE_BYTES)
        throw errors.badFile(
          path,
          firstLine + ends.length,
          `the line is longer than ${MAX_LINE_BYTES} bytes.`,
        );
      rest = end < bytes.length ? bytes.subarray(end) : undefined;
      if (end === 0) continue;
      yield { bytes: bytes.subarray(0, end), firstLine, ends };
      firstLine += ends.length;
    }
  } catch (error) {
    throw archiveFault(error, path, firstLine);
  }
  if (rest !== undefined) yield { bytes: rest, firstLine, ends: [rest.length] };
}

/** Whether a line has nothing but white space. */
export function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! > 32) return false;
  return true;
}

/** A file's bytes in chunks, decompressed where its content is gzip or zstd; errors pass as they are. */
export async function* readDecompressed(path: string): AsyncGenerator<Buffer> {
  const raw = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  try {
    const chunks = raw[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    const first = await chunks.next();
    if (first.done === true) return;
    const head = first.value;
    if (head.length >= 2 && head.readUInt16LE(0) === GZIP_MAGIC) yield* gunzipped(head, chunks);
    else if (head.length >= 4 && head.readUInt32LE(0) === ZSTD_MAGIC) yield* unzstd(head, chunks);
    else {
      yield head;
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
    }
  } finally {
    raw.destroy();
  }
}

async function* gunzipped(head: Buffer, chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  const { Readable } = await import('node:stream');
  async function* all() {
    yield head;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  }
  const source = Readable.from(all(), { objectMode: false });
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  source.on('error', (error) => gunzip.destroy(error));
  yield* source.pipe(gunzip) as AsyncIterable<Buffer>;
}

async function* unzstd(head: Buffer, chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  const { Decompress } = await import('fzstd');
  let pieces: Buffer[] = [];
  const stream = new Decompress((piece) => {
    if (piece.length > 0) pieces.push(Buffer.from(piece));
  });
  let chunk: Buffer | undefined = head;
  while (chunk !== undefined) {
    const next: IteratorResult<Buffer> = await chunks.next();
    stream.push(chunk, next.done === true);
    yield* pieces;
    pieces = [];
    chunk = next.done === true ? undefined : next.value;
  }
}

function archiveFault(error: unknown, path: string, line: number): unknown {
  if (error instanceof EvicpressError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  const damaged = typeof code === 'number' || (typeof code === 'string' && code.startsWith('Z_'));
  if (damaged)
    return errors.badFile(path, line, 'the compressed file is damaged or cut short after this line.');
  return systemFault(error, path);
}
