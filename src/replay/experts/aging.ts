import { AGE_EDGES } from './ages.js';
import type { RunTable } from './run-table.js';

/** Hears of runs that have grown older without being used. */
export interface AgeObserver {
  /** A run that was last used at `lastUse` enters age bin `bin`. */
  onAge(run: number, bin: number): void;
}

/**
 * Tells when a run that nobody used enters the next age bin. A use waits in the queue of the first edge; those
 * that are still a run's last when the edge is reached move on to the next one, all others are forgotten.
 */
export class Aging {
  private readonly waiting = AGE_EDGES.map(() => new UseQueue());

  constructor(
    private readonly runs: RunTable,
    private readonly observer: AgeObserver,
  ) {}

  /** A new request arrives: whatever reaches an age edge with it enters the next bin. */
  advance(): void {
    const now = this.runs.now + 1;
    const lastUse = this.runs.lastUse.data;
    const { waiting, observer } = this;
    for (let edge = 0; edge < waiting.length; edge++) {
      const queue = waiting[edge]!;
      const next = waiting[edge + 1];
      const then = now - AGE_EDGES[edge]!;
      while (queue.size > 0 && queue.frontUse === then) {
        const run = queue.shift();
        if (lastUse[run] !== then) continue;
        observer.onAge(run, edge + 1);
        next?.push(run, then);
      }
    }
  }

  /** Adds the uses of the walked request. */
  record(): void {
    const { path, pathLength, now } = this.runs;
    // Tail first, as shadows touch them, so that lists keep tails behind heads.
    for (let i = pathLength - 1; i >= 0; i--) this.waiting[0]!.push(path[i]!, now);
  }
}

/** Uses in the order of their time, in a ring that grows. Layout: run, request, run, request, … */
class UseQueue {
  size = 0;
  private ring = new Int32Array(1 << 8);
  private front = 0;

  get frontUse(): number {
    return this.ring[this.front + 1]!;
  }

  push(run: number, use: number): void {
    if (2 * this.size === this.ring.length) this.grow();
    const at = (this.front + 2 * this.size++) & (this.ring.length - 1);
    this.ring[at] = run;
    this.ring[at + 1] = use;
  }

  shift(): number {
    const run = this.ring[this.front]!;
    this.front = (this.front + 2) & (this.ring.length - 1);
    this.size--;
    return run;
  }

  private grow(): void {
    const { ring, front } = this;
    const longer = new Int32Array(2 * ring.length);
    longer.set(ring.subarray(front));
    longer.set(ring.subarray(0, front), ring.length - front);
    this.ring = longer;
    this.front = 0;
  }
}
