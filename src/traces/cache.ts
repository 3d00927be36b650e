import { createHash } from 'node:crypto';
import { type BigIntStats, createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, realpath, rename, stat, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { COLUMNS_VERSION, columnsToBytes, traceFromColumns } from './columns-file.js';
import type { LoadOptions } from './load.js';
import type { Trace } from './trace.js';

/** A log smaller than this is parsed sooner than looked up. */
const WORTH_CACHING_BYTES = 1 << 19;
/** All cached logs together; those used longest ago go first. */
const CACHE_BYTES = 4 * 2 ** 30;
/** The system reads and writes less than 2 GiB at once. */
const LARGEST_TRANSFER = 2 ** 30;
const SUFFIX = '.columns';
const SEEN = '.seen';
/** A file written within the clock's grain of its last change may change once more and look the same. */
const GRAIN_MS = 2000;

/**
 * Parsed logs by content, in a folder: the name is a hash of the log's bytes and of the options it was read with,
 * so a log that changed is another entry. The hash of a log is kept, too, with what the file system says of the
 * file, and taken for true while that has not changed. What is torn or damaged counts as not there; a cache that
 * cannot be written is done without.
 */
export class TraceCache {
  constructor(
    private readonly folder: string,
    private readonly limitBytes = CACHE_BYTES,
  ) {}

  /** Where a log's columns lie or would lie; undefined where caching is not worth it, or the log is no plain file. */
  async entryOf(path: string, options: LoadOptions): Promise<string | undefined> {
    const info = await stat(path, { bigint: true }).catch(() => undefined);
    if (info === undefined || !info.isFile() || info.size < WORTH_CACHING_BYTES) return undefined;
    const { format, blockTokens, skipBad, mayChange } = options;
    try {
      const content = await this.hashOf(path, info);
      const how = JSON.stringify([COLUMNS_VERSION, format, blockTokens, skipBad, mayChange]);
      return join(this.folder, sha256(how + content) + SUFFIX);
    } catch {
      return undefined;
    }
  }

  /** The hash of a log's bytes: the one kept from an earlier reading where the file is still the same. */
  private async hashOf(path: string, info: BigIntStats): Promise<string> {
    const note = join(this.folder, sha256(await realpath(path)) + SEEN);
    const state = [info.dev, info.ino, info.size, info.mtimeNs, info.ctimeNs].join();
    const [known, content] = (await readFile(note, 'utf8').catch(() => '')).split('\n');
    if (known === state && content !== undefined && content !== '') return content;
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer);
    const digest = hash.digest('hex');
    if (Date.now() - Number(info.mtimeMs) > GRAIN_MS)
      await this.put(note, [Buffer.from(`${state}\n${digest}`)]);
    return digest;
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

  /** Writes an entry, whole or not at all, and makes room where the cache outgrows its limit. */
  async write(entry: string, trace: Trace): Promise<void> {
    const pieces = columnsToBytes(trace);
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (size > this.limitBytes / 2) return;
    await this.makeRoom(size);
    await this.put(entry, pieces);
  }

  /** Writes a file whole or not at all; where it cannot be written it is done without. */
  private async put(path: string, pieces: readonly Buffer[]): Promise<void> {
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      await mkdir(this.folder, { recursive: true });
      const file = await open(temporary, 'w', 0o600);
      try {
        for (const piece of pieces) await writeAll(file, piece);
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch {
      await unlink(temporary).catch(() => undefined);
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

async function writeAll(file: Awaited<ReturnType<typeof open>>, piece: Buffer): Promise<void> {
  for (let at = 0; at < piece.length; )
    at += (await file.write(piece, at, Math.min(piece.length - at, LARGEST_TRANSFER))).bytesWritten;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 40);
}
