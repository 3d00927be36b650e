import type { EvictionOrder } from '../cascade.js';
import { Lists } from '../lists.js';
import type { Mix } from './mix.js';
import type { RunTable } from './run-table.js';

/**
 * Gives up first what the leading expert would not hold, the least recently used first, then the least
 * recently used of the rest. A change of leader moves nothing by itself.
 */
export class LedOrder implements EvictionOrder {
  private readonly lists: Lists;
  /** By block: 1 where it stands in the list of what the leader holds. */
  private readonly listOf: Uint8Array;
  /** By block: when it was put into its list, for keeping recency across a change of leader. */
  private readonly stamp: Float64Array;
  private clock = 0;

  constructor(
    private readonly runs: RunTable,
    private readonly mix: Mix,
    /** The trace's blocks. */
    private readonly blocks: Int32Array,
    /** By block: its tier. */
    private readonly tierOf: Int8Array,
    private readonly tier: number,
  ) {
    this.lists = new Lists(tierOf.length, 2);
    this.listOf = new Uint8Array(tierOf.length);
    this.stamp = new Float64Array(tierOf.length);
    const release = (run: number, held: number, kept: number) => this.release(run, held, kept);
    mix.leader.onEvict = release;
    mix.onSwitch = (before) => {
      before.onEvict = undefined;
      mix.leader.onEvict = release;
      this.sortAnew();
    };
  }

  insert(block: number): void {
    const list = this.isHeld(block) ? 1 : 0;
    this.listOf[block] = list;
    this.stamp[block] = this.clock++;
    this.lists.pushFront(list, block);
  }

  touch(block: number): void {
    this.lists.remove(block);
    this.insert(block);
  }

  /** Blocks that lie in a list one behind the other, and that the leader holds all or none of, move as they lie. */
  touchRun(position: number, start: number): number {
    const { blocks, lists, listOf, stamp } = this;
    const { previous } = lists;
    const last = blocks[position]!;
    const run = this.runs.runOf[last]!;
    const end = this.runs.first[run]! + this.mix.leader.resident[run]!;
    const list = last < end ? 1 : 0;
    const least = list === 1 ? this.runs.first[run]! : end;
    let first = last;
    listOf[first] = list;
    stamp[first] = this.clock++;
    while (position > start && first > least) {
      const before = blocks[position - 1]!;
      if (previous[first] !== before) break;
      first = before;
      position--;
      listOf[first] = list;
      stamp[first] = this.clock++;
    }
    lists.moveToFront(list, first, last);
    return position;
  }

  remove(block: number): void {
    this.lists.remove(block);
  }

  victim(): number {
    const excess = this.lists.back(0);
    return excess !== -1 ? excess : this.lists.back(1);
  }

  private isHeld(block: number): boolean {
    const { runs } = this;
    const run = runs.runOf[block]!;
    return run !== -1 && block - runs.first[run]! < this.mix.leader.resident[run]!;
  }

  /** The leader has given up blocks of a run: those that lie here go before all that it still holds. */
  private release(run: number, held: number, kept: number): void {
    const first = this.runs.first[run]!;
    for (let block = first + held - 1; block >= first + kept; block--) {
      if (this.tierOf[block] !== this.tier || this.listOf[block] === 0) continue;
      this.lists.remove(block);
      this.listOf[block] = 0;
      this.lists.pushFront(0, block);
    }
  }

  private sortAnew(): void {
    const blocks: number[] = [];
    for (const list of [0, 1]) {
      for (let block = this.lists.back(list); block !== -1; block = this.lists.ahead(block))
        blocks.push(block);
    }
    blocks.sort((a, b) => this.stamp[a]! - this.stamp[b]!);
    for (const block of blocks) {
      this.lists.remove(block);
      const list = this.isHeld(block) ? 1 : 0;
      this.listOf[block] = list;
      this.lists.pushFront(list, block);
    }
  }
}
