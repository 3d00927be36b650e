import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';

const CHUNK_BYTES = 1 << 20;
const GZIP_MAGIC = 0x8b1f;
const ZSTD_MAGIC = 0xfd2fb528;
/** So many bytes at the head of a file tell whether it is compressed. */
export const MAGIC_BYTES = 4;

/** How a file that begins with these bytes is compressed. */
export function compressionOfHead(head: Buffer): 'gzip' | 'zstd' | undefined {
  if (head.length >= 2 && head.readUInt16LE(0) === GZIP_MAGIC) return 'gzip';
  return head.length >= MAGIC_BYTES && head.readUInt32LE(0) === ZSTD_MAGIC ? 'zstd' : undefined;
}

/** A file's bytes in chunks, decompressed where its content is gzip or zstd; errors pass as they are. */
export async function* readDecompressed(path: string): AsyncGenerator<Buffer> {
  const raw = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  try {
    const chunks = raw[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    const first = await chunks.next();
    if (first.done === true) return;
    const head = first.value;
    const compression = compressionOfHead(head);
    if (compression === 'gzip') yield* gunzipped(head, chunks);
    else if (compression === 'zstd') yield* unzstd(head, chunks);
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
