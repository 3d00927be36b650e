import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { errors } from '../errors.js';

const CHUNK_BYTES = 1 << 20;
const GZIP_MAGIC = 0x8b1f;
const ZSTD_MAGIC = 0xfd2fb528;
/** Frames of data for others, which zstd passes over, begin with this and any last four bits (RFC 8878, 3.1.2). */
const ZSTD_SKIPPABLE_MAGIC = 0x184d2a50;
/** fzstd 0.1.1 reads no more than 25 bits of a distance at once: what refers farther back comes out wrong. */
const FARTHEST_ZSTD_BYTES = 2 ** 26 - 4;
/** So many bytes at the head of a file tell whether it is compressed. */
export const MAGIC_BYTES = 4;

/** How a file that begins with these bytes is compressed. */
export function compressionOfHead(head: Buffer): 'gzip' | 'zstd' | undefined {
  if (head.length >= 2 && head.readUInt16LE(0) === GZIP_MAGIC) return 'gzip';
  if (head.length < MAGIC_BYTES) return undefined;
  const magic = head.readUInt32LE(0);
  return magic === ZSTD_MAGIC || (magic & ~15) === ZSTD_SKIPPABLE_MAGIC ? 'zstd' : undefined;
}

/**
 * A file's bytes in chunks, decompressed where its content is gzip or zstd; errors pass as they are.
 * @throws EvicpressError on zstd that refers back farther than it can be read.
 */
export async function* readDecompressed(path: string): AsyncGenerator<Buffer> {
  const raw = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  try {
    const chunks = raw[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    const first = await chunks.next();
    if (first.done === true) return;
    const head = first.value;
    const compression = compressionOfHead(head);
    if (compression === 'gzip') yield* gunzipped(head, chunks);
    else if (compression === 'zstd') yield* unzstd(path, head, chunks);
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

async function* unzstd(path: string, head: Buffer, chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  const { Decompress } = await import('fzstd');
  let pieces: Buffer[] = [];
  let size = 0;
  const stream = new Decompress((piece) => {
    if (piece.length === 0) return;
    size += piece.length;
    if (size > FARTHEST_ZSTD_BYTES && windowOf(stream) > FARTHEST_ZSTD_BYTES)
      throw errors.badFile(
        path,
        undefined,
        'compressed by zstd with a window above 64 MB (--ultra -22, --long=27). Decompress it first: zstd -d --long=31.',
      );
    pieces.push(Buffer.from(piece));
  });
  let chunk: Buffer | undefined = head;
  while (chunk !== undefined) {
    const next: IteratorResult<Buffer> = await chunks.next();
    try {
      stream.push(chunk, next.done === true);
    } finally {
      // Also what comes before a damaged place, so that its line is told.
      yield* pieces;
    }
    pieces = [];
    chunk = next.done === true ? undefined : next.value;
  }
}

/** How far back the frame that is being read may refer: fzstd keeps so many bytes, as `w` of its state `s`. */
function windowOf(stream: object): number {
  return (stream as { readonly s: { readonly w: Uint8Array } }).s.w.length;
}
