import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { EvicpressError, errors } from '../errors.js';
import { systemFault } from '../formats/files.js';

/** A line longer than this is refused rather than held in memory. */
const MAX_LINE_BYTES = 64 * 2 ** 20;
const CHUNK_BYTES = 1 << 20;
const NEWLINE = 10;
const GZIP_MAGIC = 0x8b1f;
const ZSTD_MAGIC = 0xfd2fb528;

/** Whole lines, as bytes: what a parser of a large log works on. */
export interface LineBatch {
  readonly bytes: Buffer;
  /** Number of the first line in the batch, from 1. */
  readonly firstLine: number;
}

/**
 * Reads a log in batches of whole lines, about a megabyte each; gzip and zstd are recognised by content.
 * @throws EvicpressError where the file is missing, empty, cut short, or has an overlong line.
 */
export async function* readLineBatches(path: string): AsyncGenerator<LineBatch> {
  await requireFile(path);
  let rest: Buffer | undefined;
  let firstLine = 1;
  let any = false;
  try {
    for await (const chunk of readDecompressed(path)) {
      const bytes: Buffer = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      if (bytes.length - end > MAX_LINE_BYTES)
        throw errors.badFile(path, firstLine, `the line is longer than ${MAX_LINE_BYTES} bytes.`);
      rest = end < bytes.length ? bytes.subarray(end) : undefined;
      if (end === 0) continue;
      any = true;
      const batch = bytes.subarray(0, end);
      yield { bytes: batch, firstLine };
      firstLine += countLines(batch);
    }
  } catch (error) {
    throw archiveFault(error, path, firstLine);
  }
  if (rest !== undefined) yield { bytes: rest, firstLine };
  else if (!any) throw errors.emptyFile(path, 'a request log');
}

/** The first line that is not blank, for recognising the format. */
export async function firstLineOf(path: string): Promise<string> {
  for await (const { bytes } of readLineBatches(path)) {
    for (const line of bytes.toString('utf8').split('\n')) if (line.trim() !== '') return line;
  }
  throw errors.emptyFile(path, 'a request log');
}

async function requireFile(path: string): Promise<void> {
  let info: Awaited<ReturnType<typeof stat>>;
  try {
    info = await stat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw errors.missingFile(path, 'a request log', 'Check the path, or write one (docs/formats.md).');
    throw systemFault(error, path);
  }
  if (info.isDirectory()) throw errors.badFile(path, undefined, 'this is a folder; expected a request log.');
  if (info.isFile() && info.size === 0) throw errors.emptyFile(path, 'a request log');
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

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

function archiveFault(error: unknown, path: string, line: number): unknown {
  if (error instanceof EvicpressError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  const damaged = typeof code === 'number' || (typeof code === 'string' && code.startsWith('Z_'));
  if (damaged)
    return errors.badFile(path, line, 'the compressed file is damaged or cut short after this line.');
  return systemFault(error, path);
}
