import { BlockHeap } from '../block-heap.js';
import { Cascade, type EvictionOrder } from '../cascade.js';
import type { PolicyKind } from '../policy.js';

/**
 * Greedy-Dual-Size-Frequency (Cherkasova, 1998): priority = clock of the tier + uses · cost / size, where the
 * clock is the priority of what the tier gave up last. The cost of losing a block is its tokens to prefill, its
 * size the bytes it takes, so that compressed blocks stay longer. Uses count while the block is kept.
 */
export const gdsf: PolicyKind = {
  name: 'gdsf',
  cost: 10,
  create(setting) {
    const { store, tiers } = setting;
    const blocks = store.storedBytes.length;
    const shared = {
      priority: new Float64Array(blocks),
      lastUse: new Float64Array(blocks),
      uses: new Int32Array(blocks),
      clock: 0,
      worthOf: (block: number) => store.blocks.fullBytes[block]! / store.storedBytes[block]!,
    };
    return new Cascade(
      setting,
      tiers.map((_, tier) => new GreedyDualOrder(shared, tier === tiers.length - 1)),
    );
  },
};

interface Shared {
  readonly priority: Float64Array;
  readonly lastUse: Float64Array;
  readonly uses: Int32Array;
  clock: number;
  /** Tokens served per byte of room, 1 for whole blocks. */
  readonly worthOf: (block: number) => number;
}

class GreedyDualOrder implements EvictionOrder {
  private readonly heap: BlockHeap;
  /** The priority that counts as nothing: it rises as the tier gives up blocks. */
  private floor = 0;

  constructor(
    private readonly shared: Shared,
    private readonly isLast: boolean,
  ) {
    this.heap = new BlockHeap(shared.priority, shared.lastUse);
  }

  insert(block: number, position: number): void {
    if (position !== -1) this.use(block);
    this.rank(block);
    this.heap.add(block);
  }

  touch(block: number): void {
    this.use(block);
    this.rank(block);
    this.heap.update(block);
  }

  remove(block: number): void {
    this.heap.remove(block);
  }

  victim(): number {
    const block = this.heap.least();
    this.floor = this.shared.priority[block]!;
    if (this.isLast) this.shared.uses[block] = 0;
    return block;
  }

  private use(block: number): void {
    this.shared.uses[block]!++;
    this.shared.lastUse[block] = ++this.shared.clock;
  }

  private rank(block: number): void {
    const { priority, uses, worthOf } = this.shared;
    priority[block] = this.floor + uses[block]! * worthOf(block);
  }
}
