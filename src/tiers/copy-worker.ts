/** Copy `rounds` objects of `bytes`, together with `parties - 1` other threads. */
export interface CopyRequest {
  readonly bytes: number;
  /** Of this thread; at least twice the object. */
  readonly arenaBytes: number;
  readonly rounds: number;
  readonly parties: number;
  /** One counter, 0 at first, on which all threads wait for the last. */
  readonly barrier: Int32Array;
}

/** Seconds on the one monotonic clock that all threads of a process share. */
export interface CopyReply {
  readonly startedAt: number;
  readonly endedAt: number;
}

/**
 * The body of a copying thread. It is started from its own text, so it must not use anything outside itself.
 * Source and destination walk through the two halves of the arena, which only grows.
 */
export function copyInWorker({ parentPort }: typeof import('node:worker_threads')): void {
  let arena = new Uint8Array(0);
  parentPort!.on('message', ({ bytes, arenaBytes, rounds, parties, barrier }: CopyRequest) => {
    if (arena.length < arenaBytes) {
      arena = new Uint8Array(0);
      arena = new Uint8Array(arenaBytes).fill(1);
    }
    const half = Math.floor(arena.length / 2);
    let at = 0;
    const now = () => Number(process.hrtime.bigint()) / 1e9;
    if (Atomics.add(barrier, 0, 1) === parties - 1) Atomics.notify(barrier, 0);
    for (let there = Atomics.load(barrier, 0); there < parties; there = Atomics.load(barrier, 0)) {
      Atomics.wait(barrier, 0, there, 1000);
    }
    const startedAt = now();
    for (let round = 0; round < rounds; round++) {
      if (at + bytes > half) at = 0;
      arena.copyWithin(half + at, at, at + bytes);
      at += bytes;
    }
    parentPort!.postMessage({ startedAt, endedAt: now() } satisfies CopyReply);
  });
}
