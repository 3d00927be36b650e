import { fixedLevel, type LevelRule } from './level-rule.js';
import type { Policy, PolicySetting } from './policy.js';

/** The order in which one tier gives up its blocks. */
export interface EvictionOrder {
  /**
   * A block enters the tier.
   * @param position in `trace.blocks` of the use that brought it, −1 for a victim of the tier above.
   */
  insert(block: number, position: number): void;
  /** A block of the tier is used. */
  touch(block: number, position: number): void;
  /**
   * The block at a position in `trace.blocks` is used, and with it as many of those before it, down to `start`, as
   * the order can treat at once; for orders that know a faster way than one by one.
   * @returns the first position that was used.
   */
  touchRun?(position: number, start: number): number;
  /** A block leaves the tier. */
  remove(block: number): void;
  /** The block to give up next; the tier is not empty. */
  victim(): number;
}

/**
 * Tiers as engines run them: what a request used goes to the first tier, tail first, so that a head is never
 * older than what hangs on it; what a tier gives up falls into the next one, and from the last for good.
 */
export class Cascade implements Policy {
  private readonly levelRule: LevelRule;
  /** Blocks are of one size and nothing is compressed: bytes are counted once for many. */
  private readonly uniform: boolean;

  constructor(
    private readonly setting: PolicySetting,
    private readonly orders: readonly EvictionOrder[],
    private readonly admits: (position: number) => boolean = () => true,
  ) {
    this.levelRule = setting.levelRule ?? fixedLevel(0);
    this.uniform = setting.store.bytesOfEach !== undefined;
  }

  serve(request: number): void {
    const { trace, store } = this.setting;
    const { levelRule } = this;
    const { blocks, blockOffsets } = trace;
    const { tierOf } = store;
    const first = this.orders[0]!;
    const start = blockOffsets[request]!;
    let added = 0;
    for (let k = blockOffsets[request + 1]! - 1; k >= start; k--) {
      const block = blocks[k]!;
      const tier = tierOf[block]!;
      if (tier === 0) {
        if (first.touchRun !== undefined) k = first.touchRun(k, start);
        else first.touch(block, k);
      } else if (tier > 0) {
        this.orders[tier]!.remove(block);
        store.move(block, 0);
        first.insert(block, k);
      } else if (this.admits(k)) {
        if (this.uniform) {
          tierOf[block] = 0;
          added++;
        } else {
          store.add(block, 0, levelRule.levelFor(request, block));
        }
        first.insert(block, k);
      }
    }
    if (this.uniform) store.addEach(added, 0);
    this.settle();
  }

  private settle(): void {
    const { store } = this.setting;
    const { orders } = this;
    for (let tier = 0; tier < orders.length; tier++) {
      if (this.uniform) {
        if (store.overflows(tier)) this.settleUniform(tier);
        continue;
      }
      const order = orders[tier]!;
      while (store.overflows(tier)) {
        const victim = order.victim();
        order.remove(victim);
        if (tier + 1 < orders.length) {
          store.move(victim, tier + 1);
          orders[tier + 1]!.insert(victim, -1);
        } else {
          store.drop(victim);
        }
      }
    }
  }

  /** How many blocks of one size have to leave is known at once. */
  private settleUniform(tier: number): void {
    const { store } = this.setting;
    const { tierOf } = store;
    const order = this.orders[tier]!;
    const below = this.orders[tier + 1];
    const count = store.excessOf(tier);
    for (let i = 0; i < count; i++) {
      const victim = order.victim();
      order.remove(victim);
      tierOf[victim] = below === undefined ? -1 : tier + 1;
      below?.insert(victim, -1);
    }
    if (below === undefined) store.dropEach(count, tier);
    else store.moveEach(count, tier, tier + 1);
  }
}
