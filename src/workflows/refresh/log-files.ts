import type { Stats } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errors } from '../../errors.js';
import { readDecompressed } from '../../formats/decompressed.js';
import { systemFault } from '../../formats/files.js';
import { type Evidence, HEAD_BYTES, isThere, type LogPosition } from './log-position.js';

const MAGIC = [
  [0x1f, 0x8b],
  [0x28, 0xb5, 0x2f, 0xfd],
] as const;

/** A file of a log: the log itself, or an older one that rotation renamed, copied or compressed. */
export interface LogFile {
  readonly path: string;
  readonly info: Stats;
  readonly compressed: boolean;
}

/** A stretch of the log that has not been read yet. */
export interface LogPart {
  readonly file: LogFile;
  readonly fromBytes: number;
  readonly lines: number;
  /** Line ends known before `fromBytes`, where this goes on in a known file. */
  readonly recentLines: readonly Evidence[];
  /** Nobody writes to it any more: a last line without newline is a line. */
  readonly closed: boolean;
}

/** What is to be read, oldest first, and what was noticed about the log on the way. */
export interface UnreadParts {
  readonly parts: readonly LogPart[];
  readonly notes: readonly string[];
  /** The file read before is no longer the log. */
  readonly left: boolean;
}

/** A stretch of one file, and what was noticed about it. */
type Resumed = Omit<UnreadParts, 'left'>;

/**
 * Finds what a log has gained since a position, through renaming, copying and compression of old files, and
 * through truncation.
 * @throws EvicpressError where the log cannot be read; a log that is not there is an error only in the first turn.
 */
export async function findUnread(path: string, position: LogPosition | undefined): Promise<UnreadParts> {
  const current = await openInfo(path);
  if (position === undefined) {
    if (current === undefined)
      throw errors.missingFile(
        path,
        'the request log',
        'Check the path, or wait until the engine writes it.',
      );
    return { parts: [wholeFile(current, false)], notes: [], left: false };
  }
  if (current === undefined) {
    return withOlder(path, undefined, position, [`the log is not there now`]);
  }
  if (isUntouched(current, position)) return { parts: [], notes: [], left: false };
  const resumed = current.compressed ? undefined : await resumeIn(current, position, false);
  if (resumed !== undefined) return { ...resumed, left: false };
  if (current.compressed && (await holds(current, position)))
    return { parts: [restOf(current, position, true)], notes: [], left: false };
  return withOlder(path, current, position, []);
}

function isUntouched({ info }: LogFile, position: LogPosition): boolean {
  return (
    info.ino === position.inode &&
    info.size === position.sizeBytes &&
    info.mtimeMs === position.modifiedMs &&
    info.size === position.offsetBytes
  );
}

/** The log was rotated: the rest of the old file, files that came and went since, then the log itself. */
async function withOlder(
  path: string,
  current: LogFile | undefined,
  position: LogPosition,
  notes: readonly string[],
): Promise<UnreadParts> {
  const older = await siblings(path);
  const now = current === undefined ? [] : [wholeFile(current, false)];
  for (const [i, file] of older.entries()) {
    const found = file.compressed
      ? (await holds(file, position)) && { parts: [restOf(file, position, true)], notes: [] }
      : await resumeIn(file, position, true);
    if (found === undefined || found === false) continue;
    const between = older.slice(i + 1).filter((later) => later.info.mtimeMs >= file.info.mtimeMs);
    return {
      parts: [...found.parts, ...between.map((later) => wholeFile(later, true)), ...now],
      notes: [
        ...notes,
        ...(position.left === true && between.length === 0
          ? []
          : [
              `the log was rotated: its old content is in ${basename(file.path)}${between.length > 0 ? `, and ${between.length} more since` : ''}`,
            ]),
        ...found.notes,
      ],
      left: true,
    };
  }
  if (current === undefined) return { parts: [], notes, left: false };
  return {
    parts: now,
    notes: [
      ...notes,
      ...(position.left === true
        ? []
        : ['the log was replaced and its old content is nowhere beside it: what it still held is lost']),
    ],
    left: true,
  };
}

/** Other files of the log (`requests.jsonl.1`, `requests-20260102.jsonl.gz`), oldest first. */
async function siblings(path: string): Promise<LogFile[]> {
  const name = basename(path);
  const stem = name.replace(/\.[^.]+$/, '');
  const names = await readdir(dirname(path)).catch(() => [] as string[]);
  const found: LogFile[] = [];
  for (const other of names) {
    const belongs =
      other !== name &&
      (other.startsWith(`${name}.`) || other.startsWith(`${name}-`) || isDated(other, stem));
    if (!belongs) continue;
    const file = await openInfo(join(dirname(path), other)).catch(() => undefined);
    if (file !== undefined && file.info.size > 0) found.push(file);
  }
  // Clocks of file systems tick in milliseconds: within one tick the higher number is the older file.
  return found.sort(
    (a, b) => a.info.mtimeMs - b.info.mtimeMs || b.path.localeCompare(a.path, 'en', { numeric: true }),
  );
}

/** `stem-2026…` or `stem.2026…`, as logrotate's dateext with `extension` writes it. */
function isDated(name: string, stem: string): boolean {
  return name.startsWith(stem) && /^[-._]\d/.test(name.slice(stem.length));
}

async function openInfo(path: string): Promise<LogFile | undefined> {
  let info: Stats;
  try {
    info = await stat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw systemFault(error, path);
  }
  if (info.isDirectory()) throw errors.badFile(path, undefined, 'this is a folder; expected a request log.');
  if (!info.isFile())
    throw errors.badFile(path, undefined, 'this is no regular file; a log that is followed must be one.');
  const magic = await readRange(path, 0, 4);
  return { path, info, compressed: MAGIC.some((bytes) => bytes.every((byte, i) => magic[i] === byte)) };
}

function wholeFile(file: LogFile, closed: boolean): LogPart {
  return { file, fromBytes: 0, lines: 0, recentLines: [], closed: closed || file.compressed };
}

function restOf(file: LogFile, position: LogPosition, closed: boolean): LogPart {
  return {
    file,
    fromBytes: position.offsetBytes,
    lines: position.lines,
    recentLines: position.recentLines,
    closed,
  };
}

/** Where reading goes on in a plain file; undefined where its beginning is not that of the log read before. */
async function resumeIn(file: LogFile, position: LogPosition, closed: boolean): Promise<Resumed | undefined> {
  const { path, info } = file;
  const [first] = position.head;
  if (first === undefined || !(await hasEvidence(file, first))) return undefined;
  const lines = position.recentLines;
  for (let i = lines.length - 1; i >= 0; i--) {
    const line = lines[i]!;
    if (!(await hasEvidence(file, line))) continue;
    const part = {
      file,
      fromBytes: line.endBytes,
      lines: position.lines - (lines.length - 1 - i),
      recentLines: lines.slice(0, i + 1),
      closed,
    };
    const lost = position.offsetBytes - line.endBytes;
    return {
      parts: [part],
      notes:
        lost === 0 ? [] : [`the log was cut short: its last ${lines.length - 1 - i} lines read are gone`],
    };
  }
  // No line is where it was. The same beginning means the same log, cut short far; else it only begins alike.
  const longest = position.head.findLast((evidence) => evidence.endBytes <= info.size);
  if (longest === undefined || !(await hasEvidence(file, longest))) return undefined;
  const fromBytes = await lineStartBefore(path, Math.min(info.size, position.offsetBytes));
  return {
    parts: [{ file, fromBytes, lines: position.lines, recentLines: [], closed }],
    notes: [
      `the log was cut short or rewritten by more than can be traced: reading on from byte ${fromBytes}`,
    ],
  };
}

async function hasEvidence({ path, info }: LogFile, evidence: Evidence): Promise<boolean> {
  if (evidence.endBytes > info.size) return false;
  return isThere(evidence, await readRange(path, evidence.endBytes - evidence.bytes, evidence.bytes));
}

/** The end of the last whole line at or before a byte. */
async function lineStartBefore(path: string, byte: number): Promise<number> {
  for (let to = byte; to > 0; ) {
    const from = Math.max(0, to - 65_536);
    const at = (await readRange(path, from, to - from)).lastIndexOf(10);
    if (at >= 0) return from + at + 1;
    to = from;
  }
  return 0;
}

/** Whether a compressed file holds the content that was read before. */
async function holds(file: LogFile, position: LogPosition): Promise<boolean> {
  const head = position.head.at(-1);
  const last = position.recentLines.at(-1);
  if (head === undefined || last === undefined) return false;
  let at = 0;
  let window = Buffer.alloc(0);
  try {
    for await (const chunk of readDecompressed(file.path)) {
      const isFirst = at === 0;
      window = Buffer.concat([window.subarray(-HEAD_BYTES), chunk]);
      at += chunk.length;
      if (isFirst && at >= head.bytes && !isThere(head, window.subarray(0, head.bytes))) return false;
      if (at >= last.endBytes) {
        const end = window.length - (at - last.endBytes);
        return end >= last.bytes && isThere(last, window.subarray(end - last.bytes, end));
      }
    }
  } catch {
    // Still being written, or no archive at all: not the one we look for.
  }
  return false;
}

/** Bytes of a file; fewer where it ends before. */
export async function readRange(path: string, from: number, length: number): Promise<Buffer> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await handle.read(buffer, 0, length, from);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    throw systemFault(error, path);
  } finally {
    await handle?.close();
  }
}
