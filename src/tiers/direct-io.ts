import { type ChildProcess, spawn } from 'node:child_process';
import { EvicpressError } from '../errors.js';
import { type DirectReply, type DirectRequest, moveInChild, SCRATCH_FD } from './direct-worker.js';
import { threadWaitSeconds } from './host.js';
import type { Wave } from './kind.js';

/** Reads and writes under way at once: libuv's own default of 4 halves a fast disk. */
const THREADS = 16;
/** An object moves in chunks of a mebibyte, eight under way per stream, as a serving engine does it. */
export const CHUNK_BYTES = 2 ** 20;
export const DEPTH = 8;
/** Longer than the credit of a tenth of a second lasts that a kernel's throttle gives after a pause. */
const RAMP_SECONDS = 0.03;
/** Less than this shows nothing of a disk. */
export const LEAST_SCRATCH_BYTES = 64 * 2 ** 20;

/** A process of its own that moves a scratch file's bytes with enough threads for a fast disk. */
export interface DirectMover {
  /** Writes random data until the scratch has `bytes` or the time is over. @returns the bytes of the scratch. */
  fill(bytes: number, seconds: number, onProgress: (filledBytes: number) => void): Promise<number>;
  /** Seconds that the process' main thread has waited for a processor so far. */
  waitSeconds(): number;
  run(wave: Wave): Promise<number[]>;
  close(): void;
}

/**
 * Starts the process. The number of libuv's threads is read once, before any module of ours runs, so it takes a
 * new process with the variable in its environment.
 * @param fd the scratch file, inherited by the child.
 */
export function startDirectMover(fd: number): DirectMover {
  // Given as text, so that it is the same from the built package and from its sources.
  const code = `(${moveInChild})(require('node:fs'), ${SCRATCH_FD})`;
  const child = spawn(process.execPath, ['-e', code], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc', fd],
    env: { ...process.env, UV_THREADPOOL_SIZE: String(THREADS), NODE_OPTIONS: '' },
  });
  return {
    async fill(bytes, seconds, onProgress) {
      const last = await ask(child, { kind: 'fill', bytes, seconds, least: LEAST_SCRATCH_BYTES }, (reply) => {
        if ('filling' in reply) onProgress(reply.filling);
        return 'filled' in reply;
      });
      return (last as { filled: number }).filled;
    },
    waitSeconds: () => (child.pid === undefined ? 0 : threadWaitSeconds(child.pid)),
    async run(wave) {
      const request = {
        kind: 'run',
        ...wave,
        rampSeconds: RAMP_SECONDS,
        chunkBytes: CHUNK_BYTES,
        depth: DEPTH,
      } as const;
      const reply = await ask(child, request, (candidate) => 'waves' in candidate);
      return (reply as { waves: number[] }).waves;
    },
    close() {
      child.kill('SIGKILL');
    },
  };
}

/** Sends a request and waits for the reply that ends it. */
function ask(
  child: ChildProcess,
  request: DirectRequest,
  isLast: (reply: DirectReply) => boolean,
): Promise<DirectReply> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      child.off('message', onMessage);
      child.off('exit', onExit);
      child.off('error', onError);
      act();
    };
    const onMessage = (reply: DirectReply) => {
      if ('code' in reply)
        settle(() => reject(Object.assign(new Error(reply.message), { code: reply.code })));
      else if (isLast(reply)) settle(() => resolve(reply));
    };
    const onExit = (code: number | null, signal: string | null) =>
      settle(() =>
        reject(
          new EvicpressError(
            `The process that reads the disk ended early (${signal ?? `exit code ${code}`}). Try again; if memory is short, with a smaller --scratch.`,
          ),
        ),
      );
    const onError = (error: Error) => settle(() => reject(error));
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.on('error', onError);
    child.send(request);
  });
}
