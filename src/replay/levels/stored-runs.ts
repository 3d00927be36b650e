import type { RunTable } from '../experts/run-table.js';
import { smallestLevel } from '../level-rule.js';
import type { TieredStore } from '../store.js';

/** What is known of how a run was stored last, and for what. */
export interface StoredFor {
  readonly level: number;
  /** Bytes of the whole path for which the level was chosen; 0 where it is kept for all who share it. */
  readonly size: number;
}

/** How every run is stored. */
export class StoredRuns {
  /** By run: bytes of one block at its level. */
  readonly blockBytes: Float64Array;
  readonly level: Int32Array;
  /** By run: bytes of the whole path for which it was stored; 0 where it is kept for all who share it. */
  readonly size: Float64Array;
  /** By run: 1 where several sessions use it. */
  readonly shared: Uint8Array;
  /** By run: seconds' worth of quality that requests have lost to it beyond what they were meant to lose, less what its size saved them. */
  readonly regret: Float64Array;
  /** Hears of a run whose blocks change their size. */
  onResize: ((run: number, before: number, after: number) => void) | undefined;

  constructor(
    private readonly runs: RunTable,
    private readonly store: TieredStore,
  ) {
    this.blockBytes = runs.float64();
    this.level = runs.int32();
    this.size = runs.float64();
    this.shared = runs.uint8();
    this.regret = runs.float64();
  }

  /** The tier of a run's blocks, as far as its first one tells; −1 where it is not kept. */
  tierOf(run: number): number {
    return this.store.tierOf[this.runs.first[run]!]!;
  }

  /** Quality of the answers from a run. */
  qualityOf(run: number): number {
    const { compression, blocks } = this.store;
    const curve = blocks.curveOf[this.runs.first[run]!]!;
    return compression.quality[curve * compression.levels.length + this.level[run]!]!;
  }

  /** The level of a run's curve that takes the fewest bytes and is no worse than so. */
  levelAt(run: number, quality: number): number {
    const { compression, blocks } = this.store;
    if (quality >= 1) return 0;
    return smallestLevel(compression, blocks.curveOf[this.runs.first[run]!]!, quality);
  }

  /** A run that is not kept will be stored so; `known` says whether it ever was. */
  set(run: number, known: boolean, { level, size }: StoredFor): void {
    this.setLevel(run, known, level);
    this.size[run] = size;
    this.regret[run] = 0;
  }

  setLevel(run: number, known: boolean, level: number): void {
    const before = this.blockBytes[run]!;
    if (known && level === this.level[run]) return;
    const bytes = this.store.bytesAt(this.runs.first[run]!, level);
    this.level[run] = level;
    this.blockBytes[run] = bytes;
    if (known) this.onResize?.(run, before, bytes);
  }

  /** Stores what is kept of a run anew, where it lies. */
  storeAnew(run: number, level: number, size: number): void {
    const { runs, store } = this;
    const first = runs.first[run]!;
    for (let block = first; block < first + runs.length[run]!; block++)
      if (store.tierOf[block] !== -1) store.restore(block, level);
    this.setLevel(run, true, level);
    this.size[run] = size;
    this.regret[run] = 0;
  }
}
