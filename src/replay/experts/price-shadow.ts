import { AGE_BINS, ageBin } from './ages.js';
import type { Aged } from './aging.js';
import { RunLists } from './run-lists.js';
import type { RunTable } from './run-table.js';
import { Shadow } from './shadow.js';
import { CLASSES, type Worth } from './worth.js';

/**
 * Gives up what its class and age make worth least. Only leaves stand in the lists, held runs with no held run
 * behind them: what lies deeper is of no use without what lies before it.
 */
export class PriceShadow extends Shadow {
  /** By run: 1 + the list it stands in; 0 for what is not held or no leaf. */
  private readonly list: Int32Array;
  private readonly lists: RunLists;
  /** By run: held runs right behind it. */
  private readonly children: Int32Array;
  /** No list of a lower rank holds anything. */
  private lowest = 0;

  constructor(
    name: string,
    runs: RunTable,
    blockBytes: Float64Array,
    capacityBytes: number,
    private readonly worth: Worth,
  ) {
    super(name, runs, blockBytes, capacityBytes);
    this.list = runs.int32();
    this.children = runs.int32();
    this.lists = new RunLists(runs, CLASSES * AGE_BINS);
  }

  /** The order of lists by worth has changed. */
  onNewOrder(): void {
    this.lowest = 0;
  }

  /** Runs have entered age bins. */
  grow({ runs, bins, count }: Aged): void {
    const list = this.list;
    for (let i = 0; i < count; i++) {
      const run = runs[i]!;
      if (list[run] === 0) continue;
      this.leave(run);
      this.enter(run, bins[i]!);
    }
  }

  protected touch(run: number, known: boolean): void {
    if (!known) this.countChild(run, 1);
    if (this.children[run]! > 0) return;
    if (known) this.leave(run);
    this.enter(run, 0);
  }

  protected cut(run: number, head: number): void {
    if (this.resident[run]! > 0) {
      this.children[head] = 1;
      this.list[head] = 0;
    } else if (this.list[run] !== 0) {
      this.lists.insertAhead(this.list[run]! - 1, head, run);
      this.leave(run);
    }
  }

  protected victim(): number {
    const { order } = this.worth;
    let run = this.lists.back(order[this.lowest]!);
    while (run === -1) run = this.lists.back(order[++this.lowest]!);
    return run;
  }

  protected forget(run: number): void {
    this.leave(run);
    this.countChild(run, -1);
  }

  private enter(run: number, bin: number): void {
    const list = this.worth.classOf[run]! * AGE_BINS + bin;
    this.list[run] = list + 1;
    this.lists.pushFront(list, run);
    this.lowest = Math.min(this.lowest, this.worth.rankOf[list]!);
  }

  private leave(run: number): void {
    this.lists.remove(this.list[run]! - 1, run);
    this.list[run] = 0;
  }

  private countChild(run: number, by: number): void {
    const parent = this.runs.parent[run]!;
    if (parent === -1) return;
    const children = this.children;
    const before = children[parent]!;
    children[parent] = before + by;
    if (this.resident[parent] === 0) return;
    if (before === 0) this.leave(parent);
    else if (before + by === 0) this.enter(parent, ageBin(this.runs.now - this.runs.lastUse[parent]!));
  }
}
