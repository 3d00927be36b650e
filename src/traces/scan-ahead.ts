import { on } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { openPlain } from '../formats/line-batches.js';
import { workerFile } from '../package-root.js';
import type { PlainRequests } from './format.js';

/** A smaller log is read sooner than another thread has started. */
const WORTH_A_THREAD_BYTES = 8e6;
/** Where the other thread begins: it starts late but only scans, while the first one also numbers all ids. */
const BEGINNING = 0.4;
/** Between two lines there is a newline within so many bytes, or the log is not worth it. */
const LONGEST_LINE = 1 << 20;
const NEWLINE = 10;

/** What the thread is started with. */
export interface ScanAssignment {
  readonly path: string;
  /** The log, which is open as long as the thread runs. */
  readonly fd: number;
  /** Where a line begins. */
  readonly from: number;
}

/** Plain requests in the order of the log, and where the next line begins. */
export interface ScannedRequests {
  readonly requests: PlainRequests;
  readonly to: number;
}

/**
 * Has the end of a long Mooncake log scanned by another thread while the caller reads its beginning. Blocks are
 * numbered by the caller alone, in the order of the log, so that the outcome is that of one thread; where a line is
 * not plain the other thread stops, and the rest is the caller's.
 * @returns undefined where that is not worth it: the log is short or compressed, or there is one processor only.
 */
export async function scanAhead(path: string): Promise<ScanAhead | undefined> {
  if (availableParallelism() < 2) return undefined;
  const handle = await openPlain(path);
  if (handle === undefined) return undefined;
  let ahead: ScanAhead | undefined;
  try {
    const { size } = await handle.stat();
    const from =
      size < WORTH_A_THREAD_BYTES ? undefined : await nextLine(handle, Math.floor(BEGINNING * size));
    if (from !== undefined) ahead = new ScanAhead(path, handle, from);
    return ahead;
  } finally {
    if (ahead === undefined) await handle.close();
  }
}

async function nextLine(handle: FileHandle, from: number): Promise<number | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(LONGEST_LINE), 0, LONGEST_LINE, from);
  const newline = buffer.subarray(0, bytesRead).indexOf(NEWLINE);
  return newline === -1 ? undefined : from + newline + 1;
}

class ScanAhead {
  /** The log, open until the end: both threads read the same file, whatever takes its place meanwhile. */
  readonly fd: number;
  /** What is before this place has been handed out. */
  readTo: number;
  private readonly worker: Worker;
  private readonly messages: AsyncIterable<[ScannedRequests]>;

  /** @param from where the caller's part ends. */
  constructor(
    path: string,
    private readonly handle: FileHandle,
    readonly from: number,
  ) {
    this.fd = handle.fd;
    this.readTo = from;
    const assignment: ScanAssignment = { path, fd: handle.fd, from };
    this.worker = new Worker(workerFile('traces/mooncake.worker'), { workerData: assignment });
    this.messages = on(this.worker, 'message', { close: ['exit'] }) as typeof this.messages;
  }

  /** The requests of the other part, in order, as far as they are plain. */
  async *requests(): AsyncGenerator<PlainRequests> {
    try {
      for await (const [{ requests, to }] of this.messages) {
        yield requests;
        this.readTo = to;
      }
    } catch {
      // Whatever keeps the thread from its work: what it has not read is left to the caller.
    }
  }

  /** Ends the thread, and closes the log. */
  async stop(): Promise<void> {
    await this.worker.terminate();
    await this.handle.close();
  }
}
