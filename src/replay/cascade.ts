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

  constructor(
    private readonly setting: PolicySetting,
    private readonly orders: readonly EvictionOrder[],
    private readonly admits: (position: number) => boolean = () => true,
  ) {
    this.levelRule = setting.levelRule ?? fixedLevel(0);
  }

  serve(request: number): void {
    const { trace, store } = this.setting;
    const { levelRule } = this;
    const { blocks, blockOffsets } = trace;
    const { tierOf } = store;
    const first = this.orders[0]!;
    const start = blockOffsets[request]!;
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
        store.add(block, 0, levelRule.levelFor(request, block));
        first.insert(block, k);
      }
    }
    this.settle();
  }

  private settle(): void {
    const { store } = this.setting;
    const { orders } = this;
    for (let tier = 0; tier < orders.length; tier++) {
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
}
