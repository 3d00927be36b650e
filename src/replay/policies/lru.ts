import { Cascade, type EvictionOrder } from '../cascade.js';
import { Lists } from '../lists.js';
import type { PolicyKind } from '../policy.js';

/** Least recently used, over exclusive tiers: what engines do by default. */
export const lru: PolicyKind = {
  name: 'lru',
  create(setting) {
    const lists = new Lists(setting.trace.tokensOfBlock.length, setting.tiers.length);
    return new Cascade(
      setting,
      setting.tiers.map((_, tier) => new RecencyOrder(lists, tier)),
    );
  },
};

/** Blocks of one tier, the least recently used at the back. */
export class RecencyOrder implements EvictionOrder {
  constructor(
    private readonly lists: Lists,
    private readonly tier: number,
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
