import { createHash, webcrypto } from 'node:crypto';
import {
  type FileHandle,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  stat,
  unlink,
  utimes,
} from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '../errors.js';
import { makeFolder } from '../make-folder.js';
import { COLUMNS_VERSION, columnsToBytes, traceFromColumns } from './columns-file.js';
import type { Keep, LoadOptions } from './load.js';
import { type Trace, withBlockIds, withoutBlockIds } from './trace.js';

/** A log smaller than this is parsed sooner than looked up. */
const WORTH_CACHING_BYTES = 1 << 19;
/** All cached logs together; those used longest ago go first. */
const CACHE_BYTES = 4 * 2 ** 30;
/** The system reads less than 2 GiB at once. */
const LARGEST_TRANSFER = 2 ** 30;
/** Logs are hashed in pieces of so many bytes. */
const HASHED_PIECE_BYTES = 4 << 20;
const SUFFIX = '.columns';
const SEEN = '.seen';
/** A file written within the clock's grain of its last change may change once more and look the same. */
const GRAIN_MS = 2000;

/** Folders that were found not to be writable: said once, not for every log. */
const unwritable = new Set<string>();

/** A log that may be in the cache, as the file system knew it when it was looked at. */
interface LogFile {
  readonly path: string;
  readonly size: number;
  /** Changes whenever the file does. */
  readonly state: string;
  readonly changedMs: number;
  /** Where its hash is kept. */
  readonly note: string;
}

/**
 * Parsed logs by content, in a folder: the name is the log's size and a hash of its bytes and of the options it was
 * read with, so a log that changed is another entry. The hash of a log is kept, too, with what the file system says
 * of the file, and taken for true while that has not changed. What is torn or damaged counts as not there; a cache
 * that cannot be written is done without, and one trace warns of it.
 */
export class TraceCache {
  constructor(
    private readonly folder: string,
    private readonly limitBytes = CACHE_BYTES,
  ) {}

  /**
   * A log's trace from the cache, or from `parse`, and then into the cache. Where nothing of the log's size is
   * there, its bytes are hashed while it is parsed.
   */
  async load(path: string, options: LoadOptions, parse: () => Promise<Trace>): Promise<Trace> {
    const file = await this.fileAt(path);
    if (file === undefined) return parse();
    const known =
      (await this.knownHash(file)) ??
      ((await this.holdsSizeOf(file)) ? await this.hashAnew(file) : undefined);
    const cached = known === undefined ? undefined : await this.read(this.entryOf(file, known, options));
    if (cached !== undefined) return cached;
    const parsing = new AbortController();
    try {
      const [trace, content] = await Promise.all([parse(), known ?? this.hashAnew(file, parsing.signal)]);
      // What changed meanwhile may have been hashed as it was and parsed as it is.
      if (content === undefined || (await this.fileAt(path))?.state !== file.state) return trace;
      return this.kept(this.entryOf(file, content, options), trace, options.onParsed);
    } finally {
      parsing.abort();
    }
  }

  /**
   * Writes a trace into the cache, or leaves that to `onParsed`.
   * @returns the trace; without `onParsed`, with a warning where it could not be written.
   */
  private async kept(entry: string, trace: Trace, onParsed?: (keep: Keep) => void): Promise<Trace> {
    if (onParsed !== undefined) {
      let writing: ReturnType<Keep> | undefined;
      onParsed(() => (writing ??= this.beginWriting(entry, trace)));
      return trace;
    }
    const warning = this.warningOf(await this.write(entry, trace));
    if (warning === undefined) return trace;
    return withBlockIds({ ...withoutBlockIds(trace), warnings: [...trace.warnings, warning] });
  }

  private async beginWriting(entry: string, trace: Trace): ReturnType<Keep> {
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const kept = this.write(entry, trace, begin).then((code) => this.warningOf(code));
    await Promise.race([begun, kept]);
    return { kept };
  }

  /** What to say of a failure to write, the first time. */
  private warningOf(code: string | undefined): string | undefined {
    if (code === undefined || unwritable.has(this.folder)) return undefined;
    unwritable.add(this.folder);
    return `Parsed logs are not kept for the next time: ${printable(this.folder)} cannot be written (${code}). Name another folder with EVICPRESS_CACHE.`;
  }

  /** Undefined where caching is not worth it, or the log is no plain file. */
  private async fileAt(path: string): Promise<LogFile | undefined> {
    try {
      const info = await stat(path, { bigint: true });
      if (!info.isFile() || info.size < WORTH_CACHING_BYTES) return undefined;
      return {
        path,
        size: Number(info.size),
        state: [info.dev, info.ino, info.size, info.mtimeNs, info.ctimeNs].join(),
        changedMs: Number(info.mtimeMs),
        note: join(this.folder, sha256(await realpath(path)) + SEEN),
      };
    } catch {
      return undefined;
    }
  }

  /** Where a log's columns lie or would lie. */
  private entryOf({ size }: LogFile, content: string, options: LoadOptions): string {
    const { format, blockTokens, skipBad, mayChange } = options;
    const how = JSON.stringify([COLUMNS_VERSION, format, blockTokens, skipBad, mayChange]);
    return join(this.folder, `${size}-${sha256(how + content)}${SUFFIX}`);
  }

  /** The hash of a log's bytes that was kept, where the file is still the same. */
  private async knownHash({ note, state }: LogFile): Promise<string | undefined> {
    const [known, content] = (await readFile(note, 'utf8').catch(() => '')).split('\n');
    return known === state && content !== '' ? content : undefined;
  }

  /** The hash of a log's bytes, kept for later; undefined where the log cannot be read, or changes. */
  private async hashAnew(file: LogFile, signal?: AbortSignal): Promise<string | undefined> {
    const { note, path, state } = file;
    const content = await hashOf(path, signal);
    if (content === undefined || (await this.fileAt(path))?.state !== state) return undefined;
    if (Date.now() - file.changedMs > GRAIN_MS) await this.put(note, [Buffer.from(`${state}\n${content}`)]);
    return content;
  }

  private async holdsSizeOf({ size }: LogFile): Promise<boolean> {
    const names = await readdir(this.folder).catch((): string[] => []);
    return names.some((name) => name.startsWith(`${size}-`));
  }

  /** The trace of an entry; undefined where it is not there or damaged. */
  async read(entry: string): Promise<Trace | undefined> {
    try {
      const file = await open(entry, 'r');
      try {
        const { size } = await file.stat();
        // Shared memory, so that threads replay it without a copy.
        const bytes = new Uint8Array(new SharedArrayBuffer(size));
        for (let at = 0; at < size; ) {
          const { bytesRead } = await file.read(bytes, at, Math.min(size - at, LARGEST_TRANSFER), at);
          if (bytesRead === 0) return undefined;
          at += bytesRead;
        }
        const trace = traceFromColumns(bytes);
        const now = new Date();
        if (trace !== undefined) await utimes(entry, now, now).catch(() => undefined);
        return trace;
      } finally {
        await file.close();
      }
    } catch {
      return undefined;
    }
  }

  /**
   * Writes an entry, whole or not at all, and makes room where the cache outgrows its limit.
   * @param onBegun is told when other threads write all the rest.
   * @returns the system's error code where it cannot be written.
   */
  async write(entry: string, trace: Trace, onBegun?: () => void): Promise<string | undefined> {
    const pieces = columnsToBytes(trace);
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (size > this.limitBytes / 2) return undefined;
    await this.makeRoom(size);
    return this.put(entry, pieces, onBegun);
  }

  /** Writes a file whole or not at all. @returns the system's error code where it cannot be written. */
  private async put(
    path: string,
    pieces: readonly Buffer[],
    onBegun?: () => void,
  ): Promise<string | undefined> {
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      await makeFolder(this.folder);
      const file = await open(temporary, 'w', 0o600);
      try {
        const written = writeAll(file, pieces);
        onBegun?.();
        await written;
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      return undefined;
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      return String((error as NodeJS.ErrnoException).code);
    }
  }

  private async makeRoom(bytes: number): Promise<void> {
    const all = await readdir(this.folder).catch(() => []);
    const names = all.filter((name) => name.includes(SUFFIX) || name.includes(SEEN));
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(this.folder, name);
        const info = await stat(path).catch(() => undefined);
        return { path, size: info?.size ?? 0, usedAt: info?.mtimeMs ?? 0 };
      }),
    );
    files.sort((a, b) => a.usedAt - b.usedAt);
    let total = files.reduce((sum, file) => sum + file.size, bytes);
    for (const file of files) {
      if (total <= this.limitBytes) return;
      await unlink(file.path).catch(() => undefined);
      total -= file.size;
    }
  }
}

/** Writes pieces one behind the other, all at once where the system takes so many bytes. */
async function writeAll(file: FileHandle, pieces: readonly Buffer[]): Promise<void> {
  let left = pieces.filter((piece) => piece.length > 0);
  while (left.length > 0) {
    let { bytesWritten: written } = await file.writev(left);
    const rest: Buffer[] = [];
    for (const piece of left) {
      if (written < piece.length) rest.push(piece.subarray(written));
      written = Math.max(0, written - piece.length);
    }
    left = rest;
  }
}

/**
 * A hash of a log's bytes: of the SHA-256 of its pieces, which other threads work out. Undefined where the log
 * cannot be read, or the signal says that nobody asks any more.
 */
async function hashOf(path: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const whole = createHash('sha256');
      const piece = Buffer.allocUnsafeSlow(HASHED_PIECE_BYTES);
      while (signal?.aborted !== true) {
        const { bytesRead } = await file.read(piece, 0, piece.length, null);
        if (bytesRead === 0) return whole.digest('hex');
        whole.update(Buffer.from(await webcrypto.subtle.digest('SHA-256', piece.subarray(0, bytesRead))));
      }
      return undefined;
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 40);
}
