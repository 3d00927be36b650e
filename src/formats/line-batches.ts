import { read as readAt } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { EvicpressError, errors, systemFault } from '../errors.js';
import { compressionOfHead, MAGIC_BYTES, readDecompressed } from './decompressed.js';

/** A line longer than this is refused rather than held in memory. */
const MAX_LINE_BYTES = 64 * 2 ** 20;
const BATCH_BYTES = 1 << 20;
const NEWLINE = 10;

/** Whole lines, as bytes: what a parser of a large file works on. */
export interface LineBatch {
  readonly bytes: Buffer;
  /** Number of the first line in the batch, from 1. */
  readonly firstLine: number;
  /** Where each line ends: its newline, or the end of the bytes. */
  readonly ends: readonly number[];
}

/**
 * Reads a file in batches of whole lines, about a megabyte each; gzip and zstd are recognised by content. A batch's
 * bytes are good until the next one is asked for.
 * @throws EvicpressError where the file is cut short or has an overlong line, or the system refuses.
 */
export async function* readLineBatches(path: string): AsyncGenerator<LineBatch> {
  const read = { lines: 0 };
  for await (const bytes of readWholeLines(path, read)) {
    const ends: number[] = [];
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) ends.push(at);
    if (bytes[bytes.length - 1] !== NEWLINE) ends.push(bytes.length);
    yield { bytes, firstLine: read.lines + 1, ends };
    read.lines += ends.length;
  }
}

/** Whether a line has nothing but white space. */
export function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! > 32) return false;
  return true;
}

/** A part of a file, in bytes from its start. */
export interface ByteRange {
  readonly from?: number;
  readonly to?: number;
  /** The file, where it is open: another may have taken its place since. It stays open. */
  readonly fd?: number;
}

/**
 * The same without looking for the lines within a batch; every batch but a file's last ends with a newline.
 * @param read how many lines its caller has gone through, kept by the caller: errors name the next one.
 * @param range of a file that is not compressed: from the start of a line to behind a newline.
 */
export async function* readWholeLines(
  path: string,
  read: { readonly lines: number },
  range: ByteRange = {},
): AsyncGenerator<Buffer> {
  const refuseOverlong = (length: number) => {
    if (length > MAX_LINE_BYTES)
      throw errors.badFile(path, read.lines + 1, `the line is longer than ${MAX_LINE_BYTES} bytes.`);
  };
  try {
    if (range.fd !== undefined) {
      yield* plainLines(range.fd, range, refuseOverlong);
      return;
    }
    const handle = await openPlain(path);
    if (handle === undefined) yield* wholeLinesOf(readDecompressed(path), refuseOverlong);
    else {
      try {
        yield* plainLines(handle.fd, range, refuseOverlong);
      } finally {
        await handle.close();
      }
    }
  } catch (error) {
    throw archiveFault(error, path, read.lines + 1);
  }
}

/** An ordinary file that is not compressed, opened; undefined where it is something else, which is left untouched. */
export async function openPlain(path: string): Promise<FileHandle | undefined> {
  if (!(await stat(path)).isFile()) return undefined;
  const handle = await open(path, 'r');
  try {
    const head = Buffer.alloc(MAGIC_BYTES);
    const { bytesRead } = await handle.read(head, 0, MAGIC_BYTES, 0);
    if (compressionOfHead(head.subarray(0, bytesRead)) === undefined) return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

const readInto = promisify(readAt);

/** Into one buffer again and again: a large log would take fresh memory for every batch. */
async function* plainLines(
  fd: number,
  { from = 0, to = Number.POSITIVE_INFINITY }: ByteRange,
  refuseOverlong: (length: number) => void,
): AsyncGenerator<Buffer> {
  let buffer = Buffer.allocUnsafeSlow(BATCH_BYTES);
  /** Bytes of an unfinished line, in front. */
  let kept = 0;
  for (let at = from; ; ) {
    const room = Math.min(buffer.length - kept, to - at);
    const { bytesRead } = room > 0 ? await readInto(fd, buffer, kept, room, at) : { bytesRead: 0 };
    if (bytesRead === 0) break;
    at += bytesRead;
    const filled = kept + bytesRead;
    const end = buffer.subarray(kept, filled).lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      yield buffer.subarray(0, kept + end);
      buffer.copyWithin(0, kept + end, filled);
      kept = bytesRead - end;
    } else kept = filled;
    refuseOverlong(kept);
    if (kept === buffer.length) {
      const larger = Buffer.allocUnsafeSlow(2 * kept);
      buffer.copy(larger);
      buffer = larger;
    }
  }
  if (kept > 0) yield buffer.subarray(0, kept);
}

async function* wholeLinesOf(
  chunks: AsyncIterable<Buffer>,
  refuseOverlong: (length: number) => void,
): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let kept = 0;
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      yield kept === 0 ? chunk.subarray(0, end) : Buffer.concat([...pieces, chunk.subarray(0, end)]);
      pieces = [];
      kept = 0;
    }
    if (end < chunk.length) pieces.push(chunk.subarray(end));
    kept += chunk.length - end;
    refuseOverlong(kept);
  }
  if (kept > 0) yield Buffer.concat(pieces);
}

function archiveFault(error: unknown, path: string, line: number): unknown {
  if (error instanceof EvicpressError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  const damaged = typeof code === 'number' || (typeof code === 'string' && code.startsWith('Z_'));
  if (damaged)
    return errors.badFile(path, line, 'the compressed file is damaged or cut short after this line.');
  return systemFault(error, path);
}
