import type { Compression } from './compression.js';

/** A tier as the replay sees it: how much it holds. */
export interface StoreTier {
  readonly name: string;
  /** Infinity: unlimited. */
  readonly capacityBytes: number;
}

/** What the store knows of the blocks of a log. */
export interface StoreBlocks {
  /** Uncompressed bytes by block. */
  readonly fullBytes: Float64Array;
  /** Curve by block (compression.ts). */
  readonly curveOf: Int32Array;
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
  /** By block: what it takes in its tier. */
  readonly storedBytes: Float64Array;
  /** By block: what is loaded of it; the same array where caches are stored as they are loaded. */
  readonly loadedBytes: Float64Array;
  readonly usedBytes: Float64Array;
  readonly capacityBytes: Float64Array;
  /** Bytes put into each tier since the start, from outside or from another tier. */
  readonly writtenBytes: Float64Array;
  /** Bytes that left each tier, to another one or for good. */
  readonly leftBytes: Float64Array;
  /** Bytes moved between tiers. */
  movedBytes = 0;
  private readonly levels: number;

  constructor(
    readonly tiers: readonly StoreTier[],
    readonly blocks: StoreBlocks,
    readonly compression: Compression,
    /** Caches are stored whole whatever their level, and only the level's share of them is loaded. */
    private readonly storesWhole = false,
  ) {
    const count = blocks.fullBytes.length;
    this.tierOf = new Int8Array(count).fill(-1);
    this.levelOf = new Uint16Array(count);
    this.storedBytes = new Float64Array(count);
    this.loadedBytes = storesWhole ? new Float64Array(count) : this.storedBytes;
    this.usedBytes = new Float64Array(tiers.length);
    this.capacityBytes = Float64Array.from(tiers, (tier) => tier.capacityBytes);
    this.writtenBytes = new Float64Array(tiers.length);
    this.leftBytes = new Float64Array(tiers.length);
    this.levels = compression.levels.length;
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

  overflows(tier: number): boolean {
    return this.usedBytes[tier]! > this.capacityBytes[tier]!;
  }
}
