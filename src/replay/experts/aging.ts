import { AGE_EDGES } from './ages.js';
import type { RunTable } from './run-table.js';

/** Hears of runs that have grown older without being used. */
export interface AgeObserver {
  /** A run that was last used at `lastUse` enters age bin `bin`. */
  onAge(run: number, bin: number): void;
}

/**
 * Tells when a run that nobody used enters the next age bin. All uses stand in one queue; a pointer per bin
 * walks over it at that bin's distance.
 */
export class Aging {
  private queue = new Int32Array(1 << 14);
  /** By request: where its uses begin in the queue. */
  private starts = new Float64Array(1 << 10);
  private requests = 0;
  private length = 0;

  constructor(
    private readonly runs: RunTable,
    private readonly observer: AgeObserver,
  ) {}

  /** A new request arrives: whatever reaches an age edge with it enters the next bin. */
  advance(): void {
    const now = this.requests;
    const { lastUse } = this.runs;
    for (let edge = 0; edge < AGE_EDGES.length; edge++) {
      const then = now - AGE_EDGES[edge]!;
      if (then < 0) return;
      for (let k = this.starts[then]!; k < this.starts[then + 1]!; k++) {
        const run = this.queue[k]!;
        if (lastUse.data[run] === then) this.observer.onAge(run, edge + 1);
      }
    }
  }

  /** Adds the uses of the walked request. */
  record(): void {
    const { path, pathLength } = this.runs;
    this.reserve(pathLength);
    // Tail first, as shadows touch them, so that lists keep tails behind heads.
    for (let i = pathLength - 1; i >= 0; i--) this.queue[this.length++] = path[i]!;
    this.requests++;
    this.starts[this.requests] = this.length;
  }

  private reserve(more: number): void {
    while (this.length + more > this.queue.length) {
      const longer = new Int32Array(2 * this.queue.length);
      longer.set(this.queue);
      this.queue = longer;
    }
    if (this.requests + 2 > this.starts.length) {
      const longer = new Float64Array(2 * this.starts.length);
      longer.set(this.starts);
      this.starts = longer;
    }
  }
}
