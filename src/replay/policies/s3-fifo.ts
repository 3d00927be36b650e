import { Cascade, type EvictionOrder } from '../cascade.js';
import { Lists } from '../lists.js';
import type { PolicyKind } from '../policy.js';
import { GhostList, SizedList } from '../sized-list.js';
import type { TieredStore } from '../store.js';

/** Share of a tier that new blocks may take (the paper's). */
const SMALL_SHARE = 0.1;
/** Uses are counted up to this. */
const MOST_USES = 3;
/** Uses in the small queue that earn a place in the main one. */
const USES_TO_STAY = 2;

/**
 * S3-FIFO (Yang et al., SOSP 2023): new blocks wait in a small queue; those used again there, or soon after
 * they left it, go to the main queue, which gives used blocks another round. What a hit brings up from a slower
 * tier has been used again; what falls out of a main queue falls into the next tier's.
 */
export const s3Fifo: PolicyKind = {
  name: 's3-fifo',
  cost: 10,
  create(setting) {
    const blocks = setting.store.storedBytes.length;
    const shared = {
      uses: new Uint8Array(blocks),
      proven: new Uint8Array(blocks),
      lists: new Lists(blocks, 2 * setting.tiers.length),
    };
    return new Cascade(
      setting,
      setting.tiers.map((_, tier) => new TwoQueueOrder(setting.store, tier, shared)),
    );
  },
};

interface Shared {
  /** By block: uses since it was queued, up to MOST_USES. */
  readonly uses: Uint8Array;
  /** By block: 1 where it belongs into a main queue. */
  readonly proven: Uint8Array;
  /** The small queue of every tier, then its main one. */
  readonly lists: Lists;
}

class TwoQueueOrder implements EvictionOrder {
  private readonly small: SizedList;
  private readonly main: SizedList;
  private readonly ghosts: GhostList;
  private readonly capacityBytes: number;
  private readonly isLast: boolean;
  private falling = -1;

  constructor(
    private readonly store: TieredStore,
    tier: number,
    private readonly shared: Shared,
  ) {
    this.small = new SizedList(store.storedBytes, shared.lists, 2 * tier);
    this.main = new SizedList(store.storedBytes, shared.lists, 2 * tier + 1);
    this.ghosts = new GhostList(store.storedBytes.length);
    this.capacityBytes = store.capacityBytes[tier]!;
    this.isLast = tier === store.tiers.length - 1;
  }

  insert(block: number): void {
    const { proven, uses } = this.shared;
    if (this.ghosts.take(block)) proven[block] = 1;
    uses[block] = 0;
    this.queueOf(block).pushFront(block);
  }

  touch(block: number): void {
    const { uses } = this.shared;
    if (uses[block]! < MOST_USES) uses[block]!++;
  }

  remove(block: number): void {
    this.queueOf(block).remove(block);
    const { proven } = this.shared;
    // Not given up, so a hit takes it to the first tier.
    if (block !== this.falling) proven[block] = 1;
    else if (this.isLast) proven[block] = 0;
    this.falling = -1;
  }

  victim(): number {
    const { small, main } = this;
    const { uses, proven } = this.shared;
    for (;;) {
      const fromSmall = small.bytes > SMALL_SHARE * this.capacityBytes || main.back() === -1;
      const block = fromSmall ? small.back() : main.back();
      if (fromSmall && uses[block]! >= USES_TO_STAY) {
        small.remove(block);
        proven[block] = 1;
        main.pushFront(block);
      } else if (!fromSmall && uses[block]! > 0) {
        uses[block]!--;
        main.remove(block);
        main.pushFront(block);
      } else {
        return this.giveUp(block, fromSmall);
      }
    }
  }

  private giveUp(block: number, fromSmall: boolean): number {
    this.falling = block;
    if (fromSmall) {
      this.ghosts.add(block, this.store.storedBytes[block]!);
      this.ghosts.trim((1 - SMALL_SHARE) * this.capacityBytes);
    }
    return block;
  }

  private queueOf(block: number): SizedList {
    return this.shared.proven[block] === 1 ? this.main : this.small;
  }
}
