import type { Column, RunTable } from './run-table.js';

/**
 * Doubly linked lists of runs that grow with their table; a run is in at most one list. The heads are kept
 * apart: `front` and `back` by list, −1 where a list is empty.
 */
export class RunLists {
  private readonly next: Column<Int32Array>;
  private readonly previous: Column<Int32Array>;
  private readonly fronts: Int32Array;
  private readonly backs: Int32Array;

  constructor(runs: RunTable, lists: number) {
    this.next = runs.int32();
    this.previous = runs.int32();
    this.fronts = new Int32Array(lists).fill(-1);
    this.backs = new Int32Array(lists).fill(-1);
  }

  pushFront(list: number, run: number): void {
    const front = this.fronts[list]!;
    this.next.data[run] = front;
    this.previous.data[run] = -1;
    if (front === -1) this.backs[list] = run;
    else this.previous.data[front] = run;
    this.fronts[list] = run;
  }

  /** Puts a run right before another one of the list, towards the front. */
  insertAhead(list: number, run: number, of: number): void {
    const before = this.previous.data[of]!;
    this.next.data[run] = of;
    this.previous.data[run] = before;
    this.previous.data[of] = run;
    if (before === -1) this.fronts[list] = run;
    else this.next.data[before] = run;
  }

  remove(list: number, run: number): void {
    const before = this.previous.data[run]!;
    const after = this.next.data[run]!;
    if (before === -1) this.fronts[list] = after;
    else this.next.data[before] = after;
    if (after === -1) this.backs[list] = before;
    else this.previous.data[after] = before;
  }

  back(list: number): number {
    return this.backs[list]!;
  }

  /** The run before another, towards the front; −1 at the front. */
  ahead(run: number): number {
    return this.previous.data[run]!;
  }

  isEmpty(list: number): boolean {
    return this.fronts[list] === -1;
  }
}
