import { BlockHeap } from '../block-heap.js';
import { Cascade, type EvictionOrder } from '../cascade.js';
import { tunedHalfLife } from '../half-life.js';
import type { Policy, PolicyKind, PolicySetting } from '../policy.js';

/**
 * Least frequently used, where a use counts half after a half-life of requests. The half-life is the one that
 * would have served the history best, or the one that is named: `lfu@500`; `lfu@unlimited` never forgets.
 */
export const lfu: PolicyKind = {
  name: 'lfu',
  cost: 10,
  parameter: 'half-life in requests',
  create: (setting) =>
    new DecayedFrequency(setting, setting.parameter ?? tunedHalfLife(setting, DecayedFrequency)),
};

/** Tiers that keep what has been used most, lately; also the placement of IMPRESS. */
export class DecayedFrequency implements Policy {
  private readonly counts: DecayedCounts;
  private readonly cascade: Cascade;

  constructor(setting: PolicySetting, halfLife: number) {
    this.counts = new DecayedCounts(setting.trace.tokensOfBlock.length, halfLife);
    this.cascade = new Cascade(
      setting,
      setting.tiers.map(() => new FrequencyOrder(this.counts)),
    );
  }

  serve(request: number): void {
    this.counts.now = request;
    this.cascade.serve(request);
  }
}

/**
 * How often each block has been used, decayed; kept for blocks that are not cached, too. The score is log2 of
 * the count at the start of the log, log2(sum of 2^(t / half-life)), so that it changes only with a use.
 */
class DecayedCounts {
  readonly score: Float64Array;
  /** By block: a number that grows with every use. */
  readonly lastUse: Float64Array;
  now = 0;
  private clock = 0;

  constructor(
    blocks: number,
    private readonly halfLife: number,
  ) {
    this.score = new Float64Array(blocks).fill(Number.NEGATIVE_INFINITY);
    this.lastUse = new Float64Array(blocks);
  }

  use(block: number): void {
    const now = this.now / this.halfLife;
    this.score[block] = now + Math.log2(1 + 2 ** (this.score[block]! - now));
    this.lastUse[block] = ++this.clock;
  }
}

class FrequencyOrder implements EvictionOrder {
  private readonly heap: BlockHeap;

  constructor(private readonly counts: DecayedCounts) {
    this.heap = new BlockHeap(counts.score, counts.lastUse);
  }

  insert(block: number, position: number): void {
    if (position !== -1) this.counts.use(block);
    this.heap.add(block);
  }

  touch(block: number): void {
    this.counts.use(block);
    this.heap.update(block);
  }

  remove(block: number): void {
    this.heap.remove(block);
  }

  victim(): number {
    return this.heap.least();
  }
}
