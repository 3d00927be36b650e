import { type FileHandle, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { EvicpressError, errors } from '../../errors.js';
import { systemFault } from '../../formats/files.js';
import { count } from '../../formats/schema.js';
import { makeFolder } from '../../make-folder.js';
import { pick } from '../../registry.js';
import { TraceBuilder } from '../../traces/builder.js';
import { formats } from '../../traces/index.js';
import type { Trace } from '../../traces/trace.js';
import { PRIVATE_FILE, PRIVATE_FOLDER, readBytes, syncFolder } from './private-files.js';

/** A file of the window holds about this many requests; the oldest file goes as a whole. */
const REQUESTS_PER_FILE = 5_000;
const BYTES_PER_FILE = 32 * 2 ** 20;
const NEWLINE = 10;
const FILE_NAME = /^\d{6,}\.jsonl$/;

export const windowSchema = z.looseObject({
  files: z.array(z.looseObject({ name: z.string().regex(FILE_NAME), bytes: count, requests: count })),
  /** Number of the file that is begun next. */
  nextFile: count.min(1),
});
/** What of the window's files counts; bytes past the recorded length are of a turn that did not finish. */
export type WindowState = z.infer<typeof windowSchema>;

export const EMPTY_WINDOW: WindowState = { files: [], nextFile: 1 };

/** What the requests have in common. */
export type WindowLog = Pick<Trace, 'reuse' | 'blockTokens' | 'engineKeys'>;

/** How much of the log is remembered. */
export interface WindowLimits {
  readonly requests: number;
  readonly bytes: number;
}

/**
 * The recent requests, as files of our native form. The state says how much of each file counts, so that adding
 * requests and moving the log's position are one step: the state's.
 */
export class RecentWindow {
  private files: WindowState['files'];
  private nextFile: number;
  /** Requests added and not yet stored: all of them in a dry run. */
  private pending: string[] = [];

  constructor(
    private readonly folder: string,
    state: WindowState,
  ) {
    this.files = state.files.map((file) => ({ ...file }));
    this.nextFile = state.nextFile;
  }

  get state(): WindowState {
    return { files: this.files.map((file) => ({ ...file })), nextFile: this.nextFile };
  }

  get requests(): number {
    return this.files.reduce((sum, file) => sum + file.requests, 0) + this.pending.length;
  }

  /** Forgets everything: requests of other block sizes have nothing in common. */
  clear(): void {
    this.files = [];
    this.pending = [];
  }

  add(requests: readonly string[]): void {
    for (const request of requests) this.pending.push(request);
  }

  /** Appends what was added to the files, durably. It counts once the state that names the lengths is written. */
  async store(limits: WindowLimits): Promise<void> {
    const { pending } = this;
    this.pending = [];
    for (let from = 0; from < pending.length; ) {
      let last = this.files.at(-1);
      if (last === undefined || last.requests >= REQUESTS_PER_FILE || last.bytes >= BYTES_PER_FILE) {
        last = { name: `${String(this.nextFile).padStart(6, '0')}.jsonl`, bytes: 0, requests: 0 };
        this.nextFile++;
        this.files.push(last);
      }
      const some = pending.slice(from, from + REQUESTS_PER_FILE - last.requests);
      const text = Buffer.from(some.join(''));
      await appendAt(this.folder, last.name, last.bytes, text);
      last.bytes += text.length;
      last.requests += some.length;
      from += some.length;
    }
    this.forgetOldest(limits);
  }

  private forgetOldest(limits: WindowLimits): void {
    const sum = (of: (file: WindowState['files'][number]) => number) =>
      this.files.reduce((total, file) => total + of(file), 0);
    while (
      this.files.length > 1 &&
      (sum((file) => file.requests) - this.files[0]!.requests >= limits.requests ||
        sum((file) => file.bytes) > limits.bytes)
    )
      this.files.shift();
  }

  /** Removes files that no longer count. Only after the state without them was written. */
  async removeForgotten(): Promise<void> {
    const kept = new Set(this.files.map((file) => file.name));
    const names = await readdir(this.folder).catch(() => [] as string[]);
    for (const name of names) {
      if (FILE_NAME.test(name) && !kept.has(name))
        await unlink(join(this.folder, name)).catch(() => undefined);
    }
  }

  /** Drops files that are gone or shorter than recorded. @returns what was lost, in words. */
  async repair(): Promise<string[]> {
    const lost: string[] = [];
    const sound: WindowState['files'] = [];
    for (const file of this.files) {
      const info = await stat(join(this.folder, file.name)).catch(() => undefined);
      if (info?.isFile() === true && info.size >= file.bytes) sound.push(file);
      else
        lost.push(`${file.name} of the recent requests is damaged: its ${file.requests} requests are lost`);
    }
    this.files = sound;
    return lost;
  }

  /**
   * The recent requests as a trace.
   * @throws EvicpressError where a file cannot be read.
   */
  async load({ reuse, blockTokens, engineKeys }: WindowLog): Promise<Trace> {
    const format = pick('log format', formats, reuse === 'documents' ? 'documents' : 'mooncake');
    const builder = new TraceBuilder(format.reuse);
    builder.engineKeys = engineKeys;
    const parser = format.parse(builder, blockTokens > 0 ? { blockTokens } : {});
    const feed = (bytes: Buffer, path: string) => {
      for (let start = 0; start < bytes.length; ) {
        let end = bytes.indexOf(NEWLINE, start);
        if (end === -1) end = bytes.length;
        if (parser.line(bytes, start, end) !== undefined) {
          builder.abandon();
          throw new EvicpressError(
            `${path}: a recent request does not parse, so the file was altered. Delete it: the next turn goes on without.`,
          );
        }
        start = end + 1;
      }
    };
    for (const file of this.files) {
      const path = join(this.folder, file.name);
      feed(await readBytes(path, file.bytes), path);
    }
    feed(Buffer.from(this.pending.join('')), 'the log');
    if (builder.requests === 0) throw errors.emptyFile('the log', 'at least one request');
    return builder.finish(blockTokens);
  }
}

/** Writes at a place in a file, cutting off what an unfinished turn left there. */
async function appendAt(folder: string, name: string, at: number, bytes: Buffer): Promise<void> {
  const path = join(folder, name);
  let handle: FileHandle | undefined;
  try {
    await makeFolder(folder, PRIVATE_FOLDER);
    handle = await open(path, at === 0 ? 'w' : 'r+', PRIVATE_FILE);
    await handle.truncate(at);
    await handle.write(bytes, 0, bytes.length, at);
    await handle.sync();
  } catch (error) {
    throw systemFault(error, path);
  } finally {
    await handle?.close();
  }
  if (at === 0) await syncFolder(folder);
}
