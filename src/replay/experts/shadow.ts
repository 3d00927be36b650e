import type { RunTable, SplitObserver } from './run-table.js';

/**
 * A cache of its own that holds no data, only which blocks it would hold: of every run a part from its head.
 * It plays the whole log under one rule, so that rules can be compared as they go.
 */
export abstract class Shadow implements SplitObserver {
  /** By run: how many of its blocks, from the head, the shadow holds. */
  readonly resident: Int32Array;
  usedBytes = 0;
  /** Hears of blocks that the shadow gives up: from `held` of the run's blocks it goes down to `kept`. */
  onEvict: ((run: number, held: number, kept: number) => void) | undefined;

  constructor(
    readonly name: string,
    protected readonly runs: RunTable,
    /** By run: bytes of one block. */
    protected readonly blockBytes: Float64Array,
    protected readonly capacityBytes: number,
  ) {
    this.resident = new Int32Array(runs.most);
    runs.observe(this);
  }

  /** Tokens of the walked path that the shadow holds, as a prefix or anywhere; asked before `update`. */
  hitTokens(prefix: boolean): number {
    const { path, pathBlocks, pathTokens, knownLength } = this.runs;
    const resident = this.resident;
    let hits = 0;
    for (let i = 0; i < knownLength; i++) {
      const held = resident[path[i]!]!;
      hits += held * pathTokens[i]!;
      if (prefix && held < pathBlocks[i]!) break;
    }
    return hits;
  }

  /** A run's blocks have changed their size. */
  resize(run: number, before: number, after: number): void {
    this.usedBytes += this.resident[run]! * (after - before);
  }

  /** Takes in the walked path, tail first, and makes room. */
  update(): void {
    const { path, pathBlocks, pathLength } = this.runs;
    const resident = this.resident;
    for (let i = pathLength - 1; i >= 0; i--) {
      const run = path[i]!;
      const held = resident[run]!;
      const missing = pathBlocks[i]! - held;
      if (missing > 0) {
        resident[run] = held + missing;
        this.usedBytes += missing * this.blockBytes[run]!;
      }
      this.touch(run, held > 0);
    }
    this.makeRoom();
  }

  onSplit(run: number, head: number, length: number): void {
    const resident = this.resident;
    const held = resident[run]!;
    resident[head] = Math.min(held, length);
    resident[run] = held - resident[head]!;
    if (held > 0) this.cut(run, head);
  }

  private makeRoom(): void {
    while (this.usedBytes > this.capacityBytes) {
      const run = this.victim();
      const each = this.blockBytes[run]!;
      const held = this.resident[run]!;
      const blocks = Math.min(held, Math.ceil((this.usedBytes - this.capacityBytes) / each));
      this.resident[run] = held - blocks;
      this.usedBytes -= blocks * each;
      if (blocks === held) this.forget(run);
      this.onEvict?.(run, held, held - blocks);
    }
  }

  /** A run has been used; `known` says whether the shadow held any of it before. */
  protected abstract touch(run: number, known: boolean): void;
  /** A run that was held has been cut: `head` is new, `run` keeps the rest, held or not. */
  protected abstract cut(run: number, head: number): void;
  /** The run to give up blocks of next. */
  protected abstract victim(): number;
  /** No block of the run is held any more. */
  protected abstract forget(run: number): void;
}
