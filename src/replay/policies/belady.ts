import { BitTree } from '../bit-tree.js';
import { Cascade, type EvictionOrder } from '../cascade.js';
import { Lists } from '../lists.js';
import type { PolicyKind } from '../policy.js';

/**
 * Clairvoyant eviction (Belady, 1966): gives up what is needed again last, and never keeps what is not. For
 * blocks of one size no policy without compression serves more tokens.
 */
export const belady: PolicyKind = {
  name: 'belady',
  create(setting) {
    const { trace, tiers, facts } = setting;
    const { nextUse } = facts;
    const never = trace.requests;
    const lists = new Lists(trace.tokensOfBlock.length, tiers.length * (never + 1));
    const keys = new Int32Array(trace.tokensOfBlock.length);
    const orders = tiers.map((_, tier) => new NextUseOrder(lists, tier * (never + 1), keys, nextUse, never));
    return new Cascade(setting, orders, (position) => nextUse[position]! < never);
  },
};

/**
 * One list of blocks per request that will use them; the tree finds the last list that is not empty. Within a
 * list the block that came first goes first: that is the tail, on which nothing else depends.
 */
class NextUseOrder implements EvictionOrder {
  private readonly waiting: BitTree;

  constructor(
    private readonly lists: Lists,
    private readonly firstList: number,
    private readonly keys: Int32Array,
    private readonly nextUse: Int32Array,
    never: number,
  ) {
    this.waiting = new BitTree(never + 1);
  }

  insert(block: number, position: number): void {
    if (position !== -1) this.keys[block] = this.nextUse[position]!;
    const key = this.keys[block]!;
    this.lists.pushFront(this.firstList + key, block);
    this.waiting.add(key);
  }

  touch(block: number, position: number): void {
    this.remove(block);
    this.insert(block, position);
  }

  remove(block: number): void {
    const key = this.keys[block]!;
    this.lists.remove(block);
    if (this.lists.isEmpty(this.firstList + key)) this.waiting.delete(key);
  }

  victim(): number {
    return this.lists.back(this.firstList + this.waiting.max());
  }
}
