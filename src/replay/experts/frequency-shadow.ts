import { BitTree } from '../bit-tree.js';
import { RunLists } from './run-lists.js';
import type { RunTable } from './run-table.js';
import { Shadow } from './shadow.js';

/** Scores are told apart to this part of a half-life. */
const STEPS_PER_HALF_LIFE = 64;
/** Room for log2 of the largest decayed count. */
const LARGEST_LOG_COUNT = 40;
/** log2(1 + 2^−x) for x = i / TABLE_STEPS; beyond the table it is too small to move a run to another list. */
const TABLE_STEPS = 256;
const LOG2_OF_ONE_PLUS = Float64Array.from({ length: 24 * TABLE_STEPS + 2 }, (_, i) =>
  Math.log2(1 + 2 ** (-i / TABLE_STEPS)),
);

/**
 * Least frequently used with exponential decay. A run's score is log2 of its decayed count, counted forward
 * from the start of the log, so that it changes only when the run is used: log2(sum of 2^(t / half-life)).
 */
export class FrequencyShadow extends Shadow {
  private readonly score: Float64Array;
  private readonly list: Int32Array;
  private readonly lists: RunLists;
  private readonly filled: BitTree;
  /** No list below this one holds anything. */
  private lowest = 0;

  constructor(
    runs: RunTable,
    blockBytes: Float64Array,
    capacityBytes: number,
    private readonly halfLife: number,
    requests: number,
  ) {
    super(`lfu half-life ${halfLife}`, runs, blockBytes, capacityBytes);
    this.score = runs.float64();
    this.list = runs.int32();
    const lists = Math.ceil((requests / halfLife + LARGEST_LOG_COUNT) * STEPS_PER_HALF_LIFE) + 1;
    this.lists = new RunLists(runs, lists);
    this.filled = new BitTree(lists);
  }

  protected touch(run: number, known: boolean): void {
    if (known) this.forget(run);
    const now = this.runs.now / this.halfLife;
    const before = this.runs.uses[run] === 1 ? Number.NEGATIVE_INFINITY : this.score[run]!;
    const score = Math.max(before, now) + log2OfOnePlus(Math.abs(before - now));
    this.score[run] = score;
    const list = Math.floor(score * STEPS_PER_HALF_LIFE);
    this.list[run] = list;
    this.lists.pushFront(list, run);
    this.filled.add(list);
    if (list < this.lowest) this.lowest = list;
  }

  protected cut(run: number, head: number): void {
    this.lists.insertAhead(this.list[run]!, head, run);
    if (this.resident[run] === 0) this.forget(run);
  }

  protected victim(): number {
    if (this.lists.isEmpty(this.lowest)) this.lowest = this.filled.min();
    return this.lists.back(this.lowest);
  }

  protected forget(run: number): void {
    const list = this.list[run]!;
    this.lists.remove(list, run);
    if (this.lists.isEmpty(list)) this.filled.delete(list);
  }
}

/** log2(1 + 2^−x), x ≥ 0, between two entries of the table: right to 2e-6. */
function log2OfOnePlus(x: number): number {
  const at = x * TABLE_STEPS;
  const i = Math.floor(at);
  if (i + 1 >= LOG2_OF_ONE_PLUS.length) return 0;
  const low = LOG2_OF_ONE_PLUS[i]!;
  return low + (at - i) * (LOG2_OF_ONE_PLUS[i + 1]! - low);
}
