import { createReadStream } from 'node:fs';
import { EvicpressError, errors } from '../../errors.js';
import { readDecompressed } from '../../formats/decompressed.js';
import { systemFault } from '../../formats/files.js';
import { findUnread, type LogFile, type LogPart, readRange } from './log-files.js';
import { type Evidence, HEAD_BYTES, headEvidence, type LogPosition, lineEvidence } from './log-position.js';

/** A line longer than this is passed over rather than held in memory. */
const MAX_LINE_BYTES = 64 * 2 ** 20;
const CHUNK_BYTES = 4 * 2 ** 20;
const NEWLINE = 10;

/** Whole lines that were not read before. */
export interface NewLines {
  readonly path: string;
  readonly bytes: Buffer;
  /** Number of the first line in its file, from 1. */
  readonly firstLine: number;
  /** Where these lines begin in their file; 0 for its first. */
  readonly fromBytes: number;
  /** Lines passed over because they are too long to be requests. */
  readonly overlong: number;
  /** Where the log stands once these lines are counted. */
  readonly position: LogPosition;
}

export interface NewLog {
  /** What was noticed: rotation, truncation, loss. */
  readonly notes: readonly string[];
  /** The file read before is no longer the log. */
  readonly left: boolean;
  readonly lines: AsyncIterable<NewLines>;
}

/**
 * What a log has gained since a position. An unfinished last line waits for the next turn.
 * @throws EvicpressError where the log cannot be read.
 */
export async function readNewLines(path: string, position: LogPosition | undefined): Promise<NewLog> {
  const { parts, ...noticed } = await findUnread(path, position);
  return { ...noticed, lines: allParts(parts) };
}

async function* allParts(parts: readonly LogPart[]): AsyncGenerator<NewLines> {
  for (const part of parts) yield* linesOf(part);
}

async function* linesOf(part: LogPart): AsyncGenerator<NewLines> {
  const { path, info } = part.file;
  const head = await headOf(part);
  let at = part.fromBytes;
  let line = part.lines;
  let recentLines: readonly Evidence[] = part.recentLines;
  let rest: Buffer = Buffer.alloc(0);
  /** Inside a line that is being passed over. */
  let skipping = false;
  let overlong = 0;
  const batch = (bytes: Buffer): NewLines => {
    const startBytes = at;
    const firstLine = line + 1;
    at += bytes.length;
    line += countLines(bytes);
    recentLines = lineEvidence(recentLines, bytes, startBytes);
    const passed = overlong;
    overlong = 0;
    return {
      path,
      bytes,
      firstLine,
      fromBytes: startBytes,
      overlong: passed,
      position: {
        inode: info.ino,
        sizeBytes: info.size,
        modifiedMs: info.mtimeMs,
        offsetBytes: at,
        lines: line,
        head: headEvidence(head, at),
        recentLines: [...recentLines],
      },
    };
  };
  for await (const chunk of chunksOf(part)) {
    let fresh = chunk;
    if (skipping) {
      const newline = fresh.indexOf(NEWLINE);
      at += newline < 0 ? fresh.length : newline + 1;
      if (newline < 0) continue;
      fresh = fresh.subarray(newline + 1);
      skipping = false;
      overlong++;
      line++;
    }
    const bytes: Buffer = rest.length === 0 ? fresh : Buffer.concat([rest, fresh]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    rest = bytes.subarray(end);
    if (end > 0) yield batch(bytes.subarray(0, end));
    if (rest.length > MAX_LINE_BYTES) {
      at += rest.length;
      rest = Buffer.alloc(0);
      skipping = true;
    }
  }
  if (part.closed && rest.length > 0) yield batch(rest);
}

/** The beginning of the part's file. */
async function headOf({ file }: LogPart): Promise<Buffer> {
  if (!file.compressed) return readRange(file.path, 0, HEAD_BYTES);
  let head = Buffer.alloc(0);
  try {
    for await (const chunk of readDecompressed(file.path)) {
      head = Buffer.concat([head, chunk]);
      if (head.length >= HEAD_BYTES) break;
    }
  } catch (error) {
    throw readFault(error, file);
  }
  return head.subarray(0, HEAD_BYTES);
}

async function* chunksOf(part: LogPart): AsyncGenerator<Buffer> {
  const { path, compressed } = part.file;
  try {
    if (!compressed) {
      yield* createReadStream(path, {
        start: part.fromBytes,
        highWaterMark: CHUNK_BYTES,
      }) as AsyncIterable<Buffer>;
      return;
    }
    let at = 0;
    for await (const chunk of readDecompressed(path)) {
      const skip = Math.max(0, part.fromBytes - at);
      at += chunk.length;
      if (skip < chunk.length) yield skip === 0 ? chunk : chunk.subarray(skip);
    }
  } catch (error) {
    throw readFault(error, part.file);
  }
}

function readFault(error: unknown, { path, compressed }: LogFile): unknown {
  if (error instanceof EvicpressError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (compressed && (typeof code === 'number' || code?.startsWith('Z_')))
    return errors.badFile(
      path,
      undefined,
      'the compressed log is damaged or still being written. Try again later.',
    );
  return systemFault(error, path);
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines + (bytes.length > 0 && bytes[bytes.length - 1] !== NEWLINE ? 1 : 0);
}
