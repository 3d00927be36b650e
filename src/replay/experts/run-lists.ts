import type { RunTable } from './run-table.js';

/**
 * Doubly linked lists of runs; a run is in at most one list. The heads are kept apart: `front` and `back` by list,
 * −1 where a list is empty.
 */
export class RunLists {
  /** By run: the next one and the previous one, side by side as they are read together; −1 at an end. */
  private readonly links: Int32Array;
  private readonly fronts: Int32Array;
  private readonly backs: Int32Array;

  constructor(runs: RunTable, lists: number) {
    this.links = new Int32Array(2 * runs.most);
    this.fronts = new Int32Array(lists).fill(-1);
    this.backs = new Int32Array(lists).fill(-1);
  }

  pushFront(list: number, run: number): void {
    const links = this.links;
    const front = this.fronts[list]!;
    links[2 * run] = front;
    links[2 * run + 1] = -1;
    if (front === -1) this.backs[list] = run;
    else links[2 * front + 1] = run;
    this.fronts[list] = run;
  }

  /** Puts a run right before another one of the list, towards the front. */
  insertAhead(list: number, run: number, of: number): void {
    const links = this.links;
    const before = links[2 * of + 1]!;
    links[2 * run] = of;
    links[2 * run + 1] = before;
    links[2 * of + 1] = run;
    if (before === -1) this.fronts[list] = run;
    else links[2 * before] = run;
  }

  remove(list: number, run: number): void {
    const links = this.links;
    const after = links[2 * run]!;
    const before = links[2 * run + 1]!;
    if (before === -1) this.fronts[list] = after;
    else links[2 * before] = after;
    if (after === -1) this.backs[list] = before;
    else links[2 * after + 1] = before;
  }

  back(list: number): number {
    return this.backs[list]!;
  }

  isEmpty(list: number): boolean {
    return this.fronts[list] === -1;
  }
}
