import type { Trace } from '../traces/trace.js';
import { type Compression, curveOfBlocks } from './compression.js';

/** A tier as the replay sees it: how much it holds. */
export interface StoreTier {
  readonly name: string;
  /** Infinity: unlimited. */
  readonly capacityBytes: number;
}

/** What the store knows of the blocks of a log; columns are made when first asked for. */
export class StoreBlocks {
  readonly count: number;
  /** Uncompressed bytes of every block, where all have the same; undefined for documents. */
  readonly bytesOfEach: number | undefined;
  private full: Float64Array | undefined;
  private curves: Int32Array | undefined;

  constructor(
    private readonly trace: Trace,
    private readonly bytesPerToken: number,
  ) {
    this.count = trace.tokensOfBlock.length;
    this.bytesOfEach = trace.blockTokens > 0 ? trace.blockTokens * bytesPerToken : undefined;
  }

  /** Uncompressed bytes by block. */
  get fullBytes(): Float64Array {
    if (this.full === undefined) {
      const { tokensOfBlock } = this.trace;
      this.full = new Float64Array(this.count);
      for (let b = 0; b < this.count; b++) this.full[b] = tokensOfBlock[b]! * this.bytesPerToken;
    }
    return this.full;
  }

  /** Curve by block (compression.ts). */
  get curveOf(): Int32Array {
    this.curves ??= curveOfBlocks(this.trace);
    return this.curves;
  }
}

/**
 * Where every block is and what it takes there. Policies decide, the store moves bytes and counts them; a
 * block is in one tier at most (exclusive tiers).
 */
export class TieredStore {
  /** By block: index of its tier, −1 where it is not kept. */
  readonly tierOf: Int8Array;
  /** By block: index into the compression's levels; of a kept block only. */
  readonly levelOf: Uint16Array;
  /** What every kept block takes, where all are of one size and nothing is compressed. */
  readonly bytesOfEach: number | undefined;
  readonly usedBytes: Float64Array;
  readonly capacityBytes: Float64Array;
  /** Bytes put into each tier since the start, from outside or from another tier. */
  readonly writtenBytes: Float64Array;
  /** Bytes that left each tier, to another one or for good. */
  readonly leftBytes: Float64Array;
  /** Bytes moved between tiers. */
  movedBytes = 0;
  private readonly levels: number;
  private stored: Float64Array | undefined;
  private loaded: Float64Array | undefined;

  constructor(
    readonly tiers: readonly StoreTier[],
    readonly blocks: StoreBlocks,
    readonly compression: Compression,
    /** Caches are stored whole whatever their level, and only the level's share of them is loaded. */
    private readonly storesWhole = false,
  ) {
    const { count } = blocks;
    this.bytesOfEach = compression.levels.length === 1 ? blocks.bytesOfEach : undefined;
    this.tierOf = new Int8Array(count).fill(-1);
    this.levelOf = new Uint16Array(count);
    this.usedBytes = new Float64Array(tiers.length);
    this.capacityBytes = Float64Array.from(tiers, (tier) => tier.capacityBytes);
    this.writtenBytes = new Float64Array(tiers.length);
    this.leftBytes = new Float64Array(tiers.length);
    this.levels = compression.levels.length;
  }

  /** By block: what it takes in its tier; of a kept block only. */
  get storedBytes(): Float64Array {
    this.stored ??=
      this.bytesOfEach === undefined ? new Float64Array(this.blocks.count) : this.blocks.fullBytes;
    return this.stored;
  }

  /** By block: what is loaded of it; the same array where caches are stored as they are loaded. */
  get loadedBytes(): Float64Array {
    if (!this.storesWhole) return this.storedBytes;
    this.loaded ??= new Float64Array(this.blocks.count);
    return this.loaded;
  }

  /** A store of the same tiers and blocks that keeps nothing yet. */
  emptyCopy(): TieredStore {
    return new TieredStore(this.tiers, this.blocks, this.compression, this.storesWhole);
  }

  /** What a block takes at a level: rounded up, as a whole number of bytes is stored. */
  bytesAt(block: number, level: number): number {
    const { fullBytes, curveOf } = this.blocks;
    if (level === 0) return fullBytes[block]!;
    return Math.ceil(
      fullBytes[block]! * this.compression.bytesFraction[curveOf[block]! * this.levels + level]! - 1e-6,
    );
  }

  /** Quality of the answers from a kept block. */
  qualityOf(block: number): number {
    return this.compression.quality[this.blocks.curveOf[block]! * this.levels + this.levelOf[block]!]!;
  }

  /** Seconds to make a kept block usable after loading. */
  decompressSeconds(block: number): number {
    const at = this.blocks.curveOf[block]! * this.levels + this.levelOf[block]!;
    return this.compression.decompressSecondsPerByte[at]! * this.blocks.fullBytes[block]!;
  }

  /** Stores a block that is not kept anywhere. */
  add(block: number, tier: number, level: number): void {
    const bytes = this.storesWhole ? this.blocks.fullBytes[block]! : this.bytesAt(block, level);
    this.tierOf[block] = tier;
    this.levelOf[block] = level;
    this.storedBytes[block] = bytes;
    if (this.storesWhole) this.loadedBytes[block] = this.bytesAt(block, level);
    this.usedBytes[tier]! += bytes;
    this.writtenBytes[tier]! += bytes;
  }

  /** Moves a kept block to another tier as it is. */
  move(block: number, to: number): void {
    const bytes = this.storedBytes[block]!;
    const from = this.tierOf[block]!;
    this.tierOf[block] = to;
    this.usedBytes[from]! -= bytes;
    this.leftBytes[from]! += bytes;
    this.usedBytes[to]! += bytes;
    this.writtenBytes[to]! += bytes;
    this.movedBytes += bytes;
  }

  /** Stores a kept block anew at another level, in its tier or in another one. */
  restore(block: number, level: number, tier = this.tierOf[block]!): void {
    const from = this.tierOf[block]!;
    this.drop(block);
    this.add(block, tier, level);
    if (tier !== from) this.movedBytes += this.storedBytes[block]!;
  }

  /** Forgets a kept block. */
  drop(block: number): void {
    const tier = this.tierOf[block]!;
    this.tierOf[block] = -1;
    this.usedBytes[tier]! -= this.storedBytes[block]!;
    this.leftBytes[tier]! += this.storedBytes[block]!;
  }

  /** Counts blocks that were not kept into a tier, where all are of one size; who calls it sets `tierOf`. */
  addEach(blocks: number, tier: number): void {
    const bytes = blocks * this.bytesOfEach!;
    this.usedBytes[tier]! += bytes;
    this.writtenBytes[tier]! += bytes;
  }

  /** Counts kept blocks from a tier into another one, as `addEach`. */
  moveEach(blocks: number, from: number, to: number): void {
    this.dropEach(blocks, from);
    this.addEach(blocks, to);
    this.movedBytes += blocks * this.bytesOfEach!;
  }

  /** Counts kept blocks out of a tier for good, as `addEach`. */
  dropEach(blocks: number, tier: number): void {
    const bytes = blocks * this.bytesOfEach!;
    this.usedBytes[tier]! -= bytes;
    this.leftBytes[tier]! += bytes;
  }

  /** How many blocks of one size a tier has too many. */
  excessOf(tier: number): number {
    return Math.ceil((this.usedBytes[tier]! - this.capacityBytes[tier]!) / this.bytesOfEach!);
  }

  overflows(tier: number): boolean {
    return this.usedBytes[tier]! > this.capacityBytes[tier]!;
  }
}
