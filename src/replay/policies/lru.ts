import { Cascade, type EvictionOrder } from '../cascade.js';
import { Lists } from '../lists.js';
import type { PolicyKind } from '../policy.js';
import { RunLru } from '../run-lru.js';

/** Least recently used, over exclusive tiers: what engines do by default. */
export const lru: PolicyKind = {
  name: 'lru',
  create(setting) {
    const { trace, tiers, store, facts } = setting;
    if (store.bytesOfEach !== undefined && facts.chained) return new RunLru(setting);
    const lists = new Lists(trace.tokensOfBlock.length, tiers.length);
    return new Cascade(
      setting,
      tiers.map((_, tier) => new RunOrder(lists, tier, trace.blocks)),
    );
  },
};

/** Blocks of one tier, the least recently used at the back. */
export class RecencyOrder implements EvictionOrder {
  constructor(
    protected readonly lists: Lists,
    protected readonly tier: number,
  ) {}

  insert(block: number): void {
    this.lists.pushFront(this.tier, block);
  }

  touch(block: number): void {
    this.lists.remove(block);
    this.lists.pushFront(this.tier, block);
  }

  remove(block: number): void {
    this.lists.remove(block);
  }

  victim(): number {
    return this.lists.back(this.tier);
  }
}

/**
 * The same, faster: a request's prefix, used tail first, lies in the list as it lies in the request, head in front;
 * the whole run moves with six writes.
 */
class RunOrder extends RecencyOrder {
  constructor(
    lists: Lists,
    tier: number,
    private readonly blocks: Int32Array,
  ) {
    super(lists, tier);
  }

  touchRun(position: number, start: number): number {
    const { blocks } = this;
    const { previous } = this.lists;
    const last = blocks[position]!;
    let first = last;
    while (position > start) {
      const before = blocks[position - 1]!;
      if (previous[first] !== before) break;
      first = before;
      position--;
    }
    this.lists.moveToFront(this.tier, first, last);
    return position;
  }
}
