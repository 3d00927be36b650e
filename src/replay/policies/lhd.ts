import { Cascade, type EvictionOrder } from '../cascade.js';
import { AGE_BINS, AGE_EDGES, ageBin } from '../experts/ages.js';
import type { Policy, PolicyKind, PolicySetting } from '../policy.js';

/** Blocks looked at for one victim (the paper's associativity). */
const SAMPLES = 32;
/** Classes by how long the block's last two uses lay apart. */
const CLASSES = 16;
/** Uses and evictions after which densities are computed anew, and the share of older counts that stays. */
const EVENTS_PER_UPDATE = 1 << 14;
const KEPT_SHARE = 0.9;

/**
 * Least hit density (Beckmann, Chen and Cidon, NSDI 2018): gives up, of a few blocks drawn at random, the one
 * with the fewest expected hits per byte and request of the time it would stay. Densities come from counts of
 * hits and evictions by age and by class of earlier ages; ages are in requests, in bins that widen.
 */
export const lhd: PolicyKind = {
  name: 'lhd',
  cost: 40,
  create: (setting) => new LeastHitDensity(setting),
};

class LeastHitDensity implements Policy {
  private readonly ages: AgeBook;
  private readonly cascade: Cascade;

  constructor(setting: PolicySetting) {
    const { store, tiers } = setting;
    this.ages = new AgeBook(store.storedBytes.length);
    this.cascade = new Cascade(
      setting,
      tiers.map((_, tier) => new DensityOrder(this.ages, store.storedBytes, tier, tier === tiers.length - 1)),
    );
  }

  serve(request: number): void {
    this.ages.now = request;
    this.cascade.serve(request);
  }
}

/** When blocks were used, and what became of blocks of each class and age. */
class AgeBook {
  now = 0;
  readonly density = new Float64Array(CLASSES * AGE_BINS);
  private readonly lastUse: Int32Array;
  private readonly lastAge: Int32Array;
  /** By block: its class at its last use. */
  private readonly classOf: Uint8Array;
  private readonly hits = new Float64Array(CLASSES * AGE_BINS);
  private readonly evictions = new Float64Array(CLASSES * AGE_BINS);
  private events = 0;

  constructor(blocks: number) {
    this.lastUse = new Int32Array(blocks).fill(-1);
    this.lastAge = new Int32Array(blocks);
    this.classOf = new Uint8Array(blocks);
    this.initialDensities();
  }

  use(block: number): void {
    const seen = this.lastUse[block]! !== -1;
    const age = seen ? this.now - this.lastUse[block]! : 0;
    this.classOf[block] = seen ? Math.min(CLASSES - 1, 1 + ageBin(age + this.lastAge[block]!) / 2) : 0;
    this.lastAge[block] = age;
    this.lastUse[block] = this.now;
  }

  /** The block was asked for while it was kept; before its use is noted. */
  hit(block: number): void {
    this.count(this.hits, block);
  }

  evict(block: number): void {
    this.count(this.evictions, block);
  }

  densityOf(block: number): number {
    return this.density[this.cellOf(block)]!;
  }

  private cellOf(block: number): number {
    return this.classOf[block]! * AGE_BINS + ageBin(this.now - this.lastUse[block]!);
  }

  private count(counts: Float64Array, block: number): void {
    counts[this.cellOf(block)]!++;
    if (++this.events % EVENTS_PER_UPDATE === 0) this.update();
  }

  /** Density at an age = hits from there on / block-requests spent from there on. */
  private update(): void {
    const { hits, evictions, density } = this;
    for (let group = 0; group < CLASSES; group++) {
      let hitsAhead = 0;
      let eventsAhead = 0;
      let timeAhead = 0;
      for (let bin = AGE_BINS - 1; bin >= 0; bin--) {
        const at = group * AGE_BINS + bin;
        hitsAhead += hits[at]!;
        eventsAhead += hits[at]! + evictions[at]!;
        timeAhead += eventsAhead * widthOf(bin);
        if (eventsAhead > 0) density[at] = hitsAhead / timeAhead;
        hits[at]! *= KEPT_SHARE;
        evictions[at]! *= KEPT_SHARE;
      }
    }
  }

  /** As LRU would: the older, the less. */
  private initialDensities(): void {
    for (let at = 0; at < this.density.length; at++) this.density[at] = 1 / (1 + (at % AGE_BINS)) ** 2;
  }
}

function widthOf(bin: number): number {
  const from = bin === 0 ? 0 : AGE_EDGES[bin - 1]!;
  return bin < AGE_EDGES.length ? AGE_EDGES[bin]! - from : from;
}

class DensityOrder implements EvictionOrder {
  /** The tier's blocks in no order, and by block its place there. */
  private members = new Int32Array(1 << 10);
  private readonly placeOf: Int32Array;
  private size = 0;
  private falling = -1;
  private seed: number;

  constructor(
    private readonly ages: AgeBook,
    private readonly storedBytes: Float64Array,
    tier: number,
    private readonly isLast: boolean,
  ) {
    this.placeOf = new Int32Array(storedBytes.length);
    this.seed = tier + 1;
  }

  insert(block: number, position: number): void {
    if (position !== -1) this.ages.use(block);
    if (this.size === this.members.length) {
      const longer = new Int32Array(2 * this.size);
      longer.set(this.members);
      this.members = longer;
    }
    this.placeOf[block] = this.size;
    this.members[this.size++] = block;
  }

  touch(block: number): void {
    this.ages.hit(block);
    this.ages.use(block);
  }

  remove(block: number): void {
    // Not given up, so a hit takes it to the first tier.
    if (block !== this.falling) this.ages.hit(block);
    this.falling = -1;
    const last = this.members[--this.size]!;
    this.members[this.placeOf[block]!] = last;
    this.placeOf[last] = this.placeOf[block]!;
  }

  victim(): number {
    let victim = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < SAMPLES; i++) {
      const block = this.members[this.draw()]!;
      const density = this.ages.densityOf(block) / this.storedBytes[block]!;
      if (density < least) {
        least = density;
        victim = block;
      }
    }
    if (this.isLast) this.ages.evict(victim);
    this.falling = victim;
    return victim;
  }

  private draw(): number {
    this.seed ^= this.seed << 13;
    this.seed ^= this.seed >>> 17;
    this.seed ^= this.seed << 5;
    return (this.seed >>> 0) % this.size;
  }
}
