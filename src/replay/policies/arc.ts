import { Cascade, type EvictionOrder } from '../cascade.js';
import { Lists } from '../lists.js';
import type { PolicyKind } from '../policy.js';
import { GhostList, SizedList } from '../sized-list.js';
import type { TieredStore } from '../store.js';

/**
 * Adaptive replacement cache (Megiddo and Modha, FAST 2003), in bytes: blocks used once and blocks used again
 * lie in two LRU lists, whose share of the tier follows which of the two lately gave up what was then asked for.
 * A tier below takes a block into the list that it left above.
 */
export const arc: PolicyKind = {
  name: 'arc',
  cost: 5,
  create(setting) {
    const blocks = setting.store.storedBytes.length;
    const again = new Uint8Array(blocks);
    const lists = new Lists(blocks, 2 * setting.tiers.length);
    return new Cascade(
      setting,
      setting.tiers.map((_, tier) => new AdaptiveOrder(setting.store, tier, lists, again)),
    );
  },
};

class AdaptiveOrder implements EvictionOrder {
  private readonly once: SizedList;
  private readonly twice: SizedList;
  private readonly onceGhosts: GhostList;
  private readonly twiceGhosts: GhostList;
  private readonly capacityBytes: number;
  private readonly isLast: boolean;
  /** Bytes that blocks used once should take. */
  private target = 0;
  private falling = -1;

  constructor(
    private readonly store: TieredStore,
    tier: number,
    lists: Lists,
    /** By block, of all tiers: 1 where it has been used again. */
    private readonly again: Uint8Array,
  ) {
    const blocks = store.storedBytes.length;
    this.once = new SizedList(store.storedBytes, lists, 2 * tier);
    this.twice = new SizedList(store.storedBytes, lists, 2 * tier + 1);
    this.onceGhosts = new GhostList(blocks);
    this.twiceGhosts = new GhostList(blocks);
    this.capacityBytes = store.capacityBytes[tier]!;
    this.isLast = tier === store.tiers.length - 1;
  }

  insert(block: number, position: number): void {
    const { onceGhosts, twiceGhosts, again } = this;
    const bytes = this.store.storedBytes[block]!;
    const before = { once: onceGhosts.bytes, twice: twiceGhosts.bytes };
    if (position === -1) {
      onceGhosts.take(block);
      twiceGhosts.take(block);
    } else if (onceGhosts.take(block)) {
      this.target = Math.min(
        this.capacityBytes,
        this.target + bytes * Math.max(1, before.twice / before.once),
      );
      again[block] = 1;
    } else if (twiceGhosts.take(block)) {
      this.target = Math.max(0, this.target - bytes * Math.max(1, before.once / before.twice));
      again[block] = 1;
    }
    this.listOf(block).pushFront(block);
  }

  touch(block: number): void {
    this.listOf(block).remove(block);
    this.again[block] = 1;
    this.twice.pushFront(block);
  }

  remove(block: number): void {
    this.listOf(block).remove(block);
    // Not given up, so a hit takes it to the first tier.
    if (block !== this.falling) this.again[block] = 1;
    else if (this.isLast) this.again[block] = 0;
    this.falling = -1;
  }

  victim(): number {
    const { once, twice, onceGhosts, twiceGhosts, capacityBytes } = this;
    const fromOnce = once.back() !== -1 && (once.bytes > this.target || twice.back() === -1);
    const block = fromOnce ? once.back() : twice.back();
    (fromOnce ? onceGhosts : twiceGhosts).add(block, this.store.storedBytes[block]!);
    onceGhosts.trim(Math.max(0, capacityBytes - once.bytes));
    twiceGhosts.trim(Math.max(0, 2 * capacityBytes - once.bytes - twice.bytes - onceGhosts.bytes));
    this.falling = block;
    return block;
  }

  private listOf(block: number): SizedList {
    return this.again[block] === 1 ? this.twice : this.once;
  }
}
