import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { unlinkSync } from 'node:fs';
import {
  access,
  constants,
  type FileHandle,
  open,
  readFile,
  realpath,
  rename,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { onExit } from 'signal-exit';
import writeFileAtomic from 'write-file-atomic';
import { errors, systemFault } from '../errors.js';
import { makeFolder } from '../make-folder.js';
import { type LineBatch, readLineBatches } from './line-batches.js';
import type { PlainRows } from './plain-rows.js';
import { parseJson } from './schema.js';

export { systemFault };

/** A file that is read as a whole and is larger than this is not one of ours. */
const MAX_WHOLE_BYTES = 256 * 2 ** 20;

/** The path of an input as it is named on the command line: `-` is standard input. */
export function inputPath(named: string): string {
  return named === '-' ? '/dev/stdin' : named;
}

/**
 * A text file as a whole, without the mark of byte order that some editors put before it.
 * @throws EvicpressError on one too large to be ours; errors of the system pass as they are.
 */
export async function readText(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > MAX_WHOLE_BYTES)
    throw errors.badFile(path, undefined, `${size} bytes are too many to be one of ours.`);
  const text = await readFile(path, 'utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

/**
 * Reads a whole JSON file.
 * @param what the file is, and @param remedy what to do where it is missing: both for the message.
 * @throws EvicpressError
 */
export async function readJson(path: string, what: string, remedy: string): Promise<unknown> {
  await requireFile(path, what, remedy);
  const text = await readText(path);
  if (text.trim() === '') throw errors.emptyFile(path, what);
  return parseJson(text, path);
}

/**
 * Reads NDJSON line by line, gzip and zstd too; blank lines are passed over but counted.
 * @param onValue gets each parsed value with its line number from 1, and whether `plain` has parsed and tested it.
 * @param plain parses the lines that are plain; the others go the ordinary way.
 * @throws EvicpressError with file and line; on an empty file too.
 */
export async function readNdjson(
  path: string,
  what: string,
  remedy: string,
  onValue: (value: unknown, line: number, isPlain: boolean) => void,
  plain?: PlainRows<object>,
): Promise<void> {
  await requireFile(path, what, remedy);
  let any = false;
  const take = (text: string, line: number, unfinished: boolean) => {
    if (text === '' || text.trim() === '') return;
    any = true;
    onValue(parseJson(text, path, line, unfinished), line, false);
  };
  for await (const batch of readLineBatches(path)) {
    const { firstLine, bytes, ends } = batch;
    if (plain === undefined) {
      const lines = decodeLines(path, batch);
      for (let i = 0; i < lines.length; i++) take(lines[i]!, firstLine + i, ends[i] === bytes.length);
      continue;
    }
    for (let i = 0, start = 0; i < ends.length; start = ends[i]! + 1, i++) {
      const row = plain.parse(bytes, start, ends[i]!);
      if (row === undefined) {
        take(decodeLine(path, batch, i), firstLine + i, ends[i] === bytes.length);
      } else {
        any = true;
        onValue(row, firstLine + i, true);
      }
    }
  }
  if (!any) throw errors.emptyFile(path, what);
}

/** Some lines of a file. */
interface TextLines {
  /** Number of the first one, from 1. */
  readonly firstLine: number;
  readonly lines: string[];
  /** The last one is the file's, and has no newline. */
  readonly unfinished: boolean;
}

/**
 * The lines of a text file in batches of about a megabyte, decompressed where it is gzip or zstd.
 * @throws EvicpressError on an overlong line, a truncated archive, or what is not UTF-8.
 */
export async function* readLines(path: string): AsyncGenerator<TextLines> {
  for await (const batch of readLineBatches(path))
    yield {
      firstLine: batch.firstLine,
      lines: decodeLines(path, batch),
      unfinished: batch.ends.at(-1) === batch.bytes.length,
    };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const MARK = '\ufeff';
/** What is said of a line whose bytes are no text. */
export const NOT_UTF8 = 'the line is not UTF-8. Write the file anew in UTF-8, for example with iconv.';

/** One line of a batch as text. @param i counted from 0. @throws EvicpressError on what is not UTF-8. */
export function decodeLine(path: string, { firstLine, bytes, ends }: LineBatch, i: number): string {
  const line = bytes.subarray(lineStart(ends, i), ends[i]!);
  return decodeLines(path, { firstLine: firstLine + i, bytes: line, ends: [line.length] })[0]!;
}

function decodeLines(path: string, { firstLine, bytes, ends }: LineBatch): string[] {
  let text: string;
  try {
    text = utf8.decode(bytes.subarray(0, ends[ends.length - 1]!));
  } catch {
    throw errors.badFile(
      path,
      firstLine + ends.findIndex((end, i) => !isUtf8(bytes.subarray(lineStart(ends, i), end))),
      NOT_UTF8,
    );
  }
  return (firstLine === 1 && text.startsWith(MARK) ? text.slice(1) : text).split('\n');
}

/** Where line i of a batch begins. */
const lineStart = (ends: LineBatch['ends'], i: number) => (i === 0 ? 0 : ends[i - 1]! + 1);

/** The stat of a file that must be there. @throws EvicpressError where it is missing or a folder. */
export async function requireFile(path: string, what: string, remedy: string) {
  let info: Awaited<ReturnType<typeof stat>>;
  try {
    info = await stat(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw errors.missingFile(path, what, remedy);
    throw systemFault(error, path);
  }
  if (info.isDirectory()) throw errors.badFile(path, undefined, `this is a folder; expected ${what}.`);
  if (info.isFile() && info.size === 0) throw errors.emptyFile(path, what);
  return info;
}

/**
 * Writes a small file whole or not at all, making its folder where needed; `-` is standard output.
 * @throws EvicpressError when it cannot be written.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  if (path === '-') {
    process.stdout.write(text);
    return;
  }
  try {
    await makeFolder(dirname(path));
    if (await isDevice(path)) await writeFile(path, text);
    else await writeFileAtomic(path, text);
  } catch (error) {
    throw systemFault(error, path);
  }
}

/**
 * Sees, before work that takes long, whether its result can be written, as far as that can be told without writing.
 * @throws EvicpressError
 */
export async function expectWritable(path: string): Promise<void> {
  if (path === '-') return;
  try {
    const info = await stat(path).catch(() => undefined);
    if (info?.isDirectory()) throw errors.badFile(path, undefined, 'this is a folder; expected a file.');
    // What is there already is replaced, which is up to its folder.
    if (info === undefined || info.isFile()) await access(await folderAbove(path), constants.W_OK);
  } catch (error) {
    throw systemFault(error, path);
  }
}

/** The nearest folder above a path that is there. @throws the system's error where it is no folder. */
async function folderAbove(path: string): Promise<string> {
  const parent = dirname(path);
  const info = await stat(parent).catch(() => undefined);
  if (info === undefined && parent !== dirname(parent)) return folderAbove(parent);
  if (info?.isDirectory() !== true) throw Object.assign(new Error(parent), { code: 'ENOTDIR' });
  return parent;
}

/** Pretty JSON with a final newline, as every small file of ours is written. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * Writes a large file from pieces, whole or not at all: temporary file in the same folder, fsync, rename.
 * `-` is standard output; what a symbolic link points to is replaced, not the link.
 * @param mode permissions of the file.
 * @throws EvicpressError when it cannot be written; nothing is left behind.
 */
export async function writePieces(path: string, pieces: Iterable<string>, mode = 0o644): Promise<void> {
  if (path === '-') {
    await writeOut(pieces);
    return;
  }
  const target = await realpath(path).catch(() => path);
  const folder = dirname(target);
  const temporary = join(folder, `.${basename(target)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
  let handle: FileHandle | undefined;
  // A large file takes seconds: interrupted, it leaves nothing lying about.
  const forget = onExit(() => removeNow(temporary));
  try {
    await makeFolder(folder);
    if (await isDevice(target)) {
      await writeFile(target, pieces);
      return;
    }
    handle = await open(temporary, 'wx', mode);
    for (const piece of pieces) await handle.write(piece);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, target);
    await syncFolder(folder);
  } catch (error) {
    await handle?.close().catch(() => undefined);
    await unlink(temporary).catch(() => undefined);
    throw systemFault(error, path);
  } finally {
    forget();
  }
}

/** Writes to standard output, no faster than it is read and no further than its reader wants. */
async function writeOut(pieces: Iterable<string>): Promise<void> {
  let isClosed = false;
  const close = () => {
    isClosed = true;
  };
  process.stdout.on('error', close);
  for (const piece of pieces) {
    if (isClosed) break;
    if (!process.stdout.write(piece)) await drained();
  }
  process.stdout.off('error', close);
}

/** When standard output takes more, or fails. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      process.stdout.off('drain', done);
      process.stdout.off('error', done);
      resolve();
    };
    process.stdout.once('drain', done);
    process.stdout.once('error', done);
  });
}

function removeNow(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not there yet, or has its name by now.
  }
}

/** A device or a pipe is written to: to rename over it would put a file in its place. */
async function isDevice(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && !info.isFile() && !info.isDirectory();
}

/** Makes a rename durable. Some file systems refuse to sync a folder; the data itself is synced by then. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
