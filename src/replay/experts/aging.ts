import { AGE_EDGES } from './ages.js';
import type { RunTable } from './run-table.js';

/** Runs that have grown older without being used, and the age bin that each of them enters. */
export interface Aged {
  readonly runs: Int32Array;
  readonly bins: Uint8Array;
  readonly count: number;
}

const LAST_EDGE = AGE_EDGES.at(-1)!;

/**
 * Tells when a run that nobody used enters the next age bin. The runs of a request wait together: at each edge that
 * its age reaches, those that have not been used since enter the next bin, all others are forgotten.
 */
export class Aging {
  /** What the last request's arrival made older. */
  readonly aged = { runs: new Int32Array(1 << 8), bins: new Uint8Array(1 << 8), count: 0 };
  /** The waiting runs of all requests, one request behind the other. */
  private waiting = new Int32Array(1 << 12);
  private end = 0;
  /** By request, counted from `first`: where its runs begin, and where those that still wait end. */
  private starts = new Int32Array(1 << 12);
  private ends = new Int32Array(1 << 12);
  private first = 0;

  constructor(private readonly runs: RunTable) {}

  /** A new request arrives: whatever reaches an age edge with it enters the next bin. */
  advance(): Aged {
    const now = this.runs.now + 1;
    const lastUse = this.runs.lastUse;
    const { waiting, starts, ends, aged } = this;
    let count = 0;
    for (let edge = 0; edge < AGE_EDGES.length; edge++) {
      const then = now - AGE_EDGES[edge]!;
      if (then < 0) break;
      const at = then - this.first;
      const end = ends[at]!;
      let kept = starts[at]!;
      if (count + end - kept > aged.runs.length) this.growAged(count + end - kept);
      const { runs, bins } = aged;
      for (let i = kept; i < end; i++) {
        const run = waiting[i]!;
        if (lastUse[run] !== then) continue;
        waiting[kept++] = run;
        runs[count] = run;
        bins[count++] = edge + 1;
      }
      ends[at] = kept;
    }
    aged.count = count;
    return aged;
  }

  /** Adds the uses of the walked request. */
  record(): void {
    const { path, pathLength, now } = this.runs;
    if (now - this.first >= this.starts.length) this.makeRoom(now);
    if (this.end + pathLength > this.waiting.length) this.grow(pathLength);
    const at = now - this.first;
    this.starts[at] = this.end;
    // Tail first, as shadows touch them, so that lists keep tails behind heads.
    for (let i = pathLength - 1; i >= 0; i--) this.waiting[this.end++] = path[i]!;
    this.ends[at] = this.end;
  }

  /** Forgets the requests that are past the last edge; where that is less than half of them, there is room for more. */
  private makeRoom(now: number): void {
    const past = Math.max(0, now - LAST_EDGE - this.first);
    const count = now - this.first - past;
    const from = count === 0 ? this.end : this.starts[past]!;
    const length = 2 * past > this.starts.length ? this.starts.length : 2 * this.starts.length;
    const starts = new Int32Array(length);
    const ends = new Int32Array(length);
    for (let i = 0; i < count; i++) {
      starts[i] = this.starts[past + i]! - from;
      ends[i] = this.ends[past + i]! - from;
    }
    this.waiting.copyWithin(0, from, this.end);
    this.end -= from;
    this.first += past;
    this.starts = starts;
    this.ends = ends;
  }

  private growAged(count: number): void {
    const { aged } = this;
    const runs = new Int32Array(2 * count);
    const bins = new Uint8Array(2 * count);
    runs.set(aged.runs);
    bins.set(aged.bins);
    aged.runs = runs;
    aged.bins = bins;
  }

  private grow(by: number): void {
    const longer = new Int32Array(2 * (this.waiting.length + by));
    longer.set(this.waiting);
    this.waiting = longer;
  }
}
