/** Make an arena, or copy `rounds` objects of `bytes` together with `parties - 1` other threads. */
export type CopyRequest =
  | { readonly arenaBytes: number }
  | {
      readonly bytes: number;
      readonly rounds: number;
      readonly parties: number;
      /** One counter, 0 at first, on which all threads wait for the last. */
      readonly barrier: Int32Array;
    };

/** Seconds on the one monotonic clock that all threads of a process share. */
export interface CopyReply {
  readonly startedAt: number;
  readonly endedAt: number;
  /** How long the thread was ready to copy but waited for a processor; 0 where the system does not say. */
  readonly waitSeconds: number;
}

/**
 * The body of a copying thread. It is started from its own text, so it must not use anything outside itself.
 * Source and destination walk through the two halves of the arena, an object larger than a half round and round.
 */
export function copyInWorker({ parentPort }: typeof import('node:worker_threads')): void {
  let arena = new Uint8Array(0);
  const now = () => Number(process.hrtime.bigint()) / 1e9;
  const { readFileSync } = process.getBuiltinModule('node:fs');
  const waited = () => {
    try {
      return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1]) / 1e9;
    } catch {
      return 0;
    }
  };
  parentPort!.on('message', (request: CopyRequest) => {
    if ('arenaBytes' in request) {
      const startedAt = now();
      arena = new Uint8Array(request.arenaBytes).fill(1);
      parentPort!.postMessage({ startedAt, endedAt: now(), waitSeconds: 0 } satisfies CopyReply);
      return;
    }
    const { bytes, rounds, parties, barrier } = request;
    const half = Math.floor(arena.length / 2);
    let at = 0;
    if (Atomics.add(barrier, 0, 1) === parties - 1) Atomics.notify(barrier, 0);
    for (let there = Atomics.load(barrier, 0); there < parties; there = Atomics.load(barrier, 0)) {
      Atomics.wait(barrier, 0, there, 1000);
    }
    const waitedBefore = waited();
    const startedAt = now();
    for (let round = 0; round < rounds; round++) {
      for (let left = bytes; left > 0; ) {
        if (at === half) at = 0;
        const part = Math.min(left, half - at);
        arena.copyWithin(half + at, at, at + part);
        at += part;
        left -= part;
      }
    }
    const endedAt = now();
    parentPort!.postMessage({ startedAt, endedAt, waitSeconds: waited() - waitedBefore } satisfies CopyReply);
  });
}
