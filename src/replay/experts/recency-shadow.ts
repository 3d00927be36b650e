import { RunLists } from './run-lists.js';
import type { RunTable } from './run-table.js';
import { Shadow } from './shadow.js';

/** Least recently used. */
export class RecencyShadow extends Shadow {
  private readonly lists: RunLists;

  constructor(runs: RunTable, blockBytes: Float64Array, capacityBytes: number) {
    super('lru', runs, blockBytes, capacityBytes);
    this.lists = new RunLists(runs, 1);
  }

  protected touch(run: number, known: boolean): void {
    if (known) this.lists.remove(0, run);
    this.lists.pushFront(0, run);
  }

  protected cut(run: number, head: number): void {
    this.lists.insertAhead(0, head, run);
    if (this.resident[run] === 0) this.lists.remove(0, run);
  }

  protected victim(): number {
    return this.lists.back(0);
  }

  protected forget(run: number): void {
    this.lists.remove(0, run);
  }
}
