import { recomputeSeconds } from '../cost/prefill.js';
import { BlockHeap } from './block-heap.js';
import type { SplitObserver } from './experts/run-table.js';
import { RunTable } from './experts/run-table.js';
import { tunedHalfLife } from './half-life.js';
import { DecayedFrequency } from './policies/lfu.js';
import type { Policy, PolicySetting } from './policy.js';

const ABSENT = -1;

/** A context in a place, as a utility sees it. */
export interface Placed {
  /** Its share of its request's tokens. */
  readonly share: number;
  /** Seconds to prefill it behind what comes before it. */
  readonly recomputeSeconds: number;
  readonly storedBytes: number;
  readonly quality: number;
  readonly decompressSeconds: number;
}

/** What a published system maximises, per access. */
export interface PlacementUtility {
  /** Of a context kept in a tier. */
  kept(placed: Placed, tier: number): number;
  /** Of one that is not kept. */
  absent(placed: Placed): number;
  /** Whether a context may be left out though there is room; otherwise it goes where no other way is left. */
  readonly recomputes: boolean;
}

/**
 * Greedy placement as EvicPress and AdaptCache publish it, over the contexts of a log: the parts of prefixes
 * that were always used together. What is new is stored at its best option; while a tier is over its capacity,
 * the context whose best way out costs least utility is compressed further, moved to a slower tier or given up.
 * Caches that were compressed with loss only ever lose more, by the same method; a context goes after what
 * hangs on it.
 */
export class GreedyPlacement implements Policy, SplitObserver {
  private readonly runs: RunTable;
  /** By context: where it is to be (ABSENT: nowhere), at which level, and how often it is used (log2, decayed). */
  private readonly tier: Int8Array;
  private readonly level: Uint16Array;
  private readonly frequency: Float64Array;
  private readonly lastUse: Float64Array;
  private readonly share: Float64Array;
  private readonly recompute: Float64Array;
  private readonly keptChildren: Int32Array;
  /** By context: log2 of the utility that its best way out loses, and that way, tier · levels + level. */
  private readonly loss: Float64Array;
  private readonly wayOut: Int32Array;
  private readonly usedBytes: Float64Array;
  private readonly heaps: readonly BlockHeap[];
  /** Contexts whose place in the store may differ from the intended one. */
  private changed: number[] = [];
  private readonly halfLife: number;
  private readonly levels: number;
  private clock = 0;
  /** The context in the place looked at: one object, filled anew each time. */
  private readonly placed = {
    share: 0,
    recomputeSeconds: 0,
    storedBytes: 0,
    quality: 1,
    decompressSeconds: 0,
  };

  constructor(
    private readonly setting: PolicySetting,
    private readonly utility: PlacementUtility,
    private readonly replans: boolean,
  ) {
    const { trace, facts, store } = setting;
    const most = trace.tokensOfBlock.length;
    this.runs = new RunTable(trace, facts);
    this.runs.observe(this);
    this.tier = new Int8Array(most).fill(ABSENT);
    this.level = new Uint16Array(most);
    this.frequency = new Float64Array(most).fill(Number.NEGATIVE_INFINITY);
    this.lastUse = new Float64Array(most);
    this.share = new Float64Array(most);
    this.recompute = new Float64Array(most);
    this.keptChildren = new Int32Array(most);
    this.loss = new Float64Array(most);
    this.wayOut = new Int32Array(most);
    this.usedBytes = new Float64Array(store.tiers.length);
    this.heaps = store.tiers.map(() => new BlockHeap(this.loss, this.lastUse));
    this.levels = store.compression.levels.length;
    this.halfLife = tunedHalfLife(setting, DecayedFrequency);
  }

  serve(request: number): void {
    const { runs } = this;
    runs.walk(request);
    this.noteUses(request);
    for (let i = 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      if (this.tier[run] !== ABSENT) this.rank(run);
      else if (i === 0 || this.tier[runs.path[i - 1]!] !== ABSENT || runs.parent[run] === -1)
        this.storeAtBest(request, run);
    }
    runs.settle();
    if (this.replans && this.setting.replanning.isDueAfter(request)) this.replan();
    this.makeRoom();
    this.carryOut();
  }

  onSplit(run: number, head: number, length: number): void {
    const { tier, level, frequency, lastUse, share, recompute, keptChildren } = this;
    const headShare = length / (length + this.runs.length[run]!);
    tier[head] = tier[run]!;
    level[head] = level[run]!;
    frequency[head] = frequency[run]!;
    lastUse[head] = lastUse[run]!;
    share[head] = share[run]! * headShare;
    share[run]! -= share[head]!;
    recompute[head] = recompute[run]! * headShare;
    recompute[run]! -= recompute[head]!;
    if (tier[run] === ABSENT) return;
    keptChildren[head] = 1;
    // Rounding is per block, so the parts take exactly what the whole did.
    this.findWayOut(head);
    this.heaps[tier[head]!]!.add(head);
    this.rank(run);
  }

  private noteUses(request: number): void {
    const { runs, frequency } = this;
    const { trace, model } = this.setting;
    const now = request / this.halfLife;
    const inputTokens = Math.max(1, trace.inputTokens[request]!);
    let before = 0;
    for (let i = 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      const tokens = this.tokensOf(run);
      frequency[run] = now + Math.log2(1 + 2 ** (frequency[run]! - now));
      this.lastUse[run] = ++this.clock;
      this.share[run] = Math.min(1, tokens / inputTokens);
      this.recompute[run] = recomputeSeconds(model, before, tokens);
      before += tokens;
    }
  }

  private tokensOf(run: number): number {
    return this.runs.length[run]! * this.setting.trace.tokensOfBlock[this.runs.first[run]!]!;
  }

  private bytesAt(run: number, level: number): number {
    return this.runs.length[run]! * this.setting.store.bytesAt(this.runs.first[run]!, level);
  }

  private fill(run: number, level: number): Placed {
    const { store } = this.setting;
    const { quality, decompressSecondsPerByte } = store.compression;
    const first = this.runs.first[run]!;
    const at = store.blocks.curveOf[first]! * this.levels + level;
    const { placed } = this;
    placed.share = this.share[run]!;
    placed.recomputeSeconds = this.recompute[run]!;
    placed.storedBytes = this.bytesAt(run, level);
    placed.quality = quality[at]!;
    placed.decompressSeconds =
      decompressSecondsPerByte[at]! * store.blocks.fullBytes[first]! * this.runs.length[run]!;
    return placed;
  }

  /** Whether a cache at one level can become one at another without being computed anew. */
  private leadsTo(from: number, to: number): boolean {
    const { levels } = this.setting.store.compression;
    if (from === to) return true;
    if (this.setting.levelRule !== undefined) return false;
    if (from === 0) return true;
    return (
      levels[from]!.method === levels[to]!.method &&
      levels[from]!.compressionRatio < levels[to]!.compressionRatio
    );
  }

  private isOffered(run: number, level: number): boolean {
    const { store, objective, levelRule } = this.setting;
    if (level === 0 || levelRule !== undefined) return true;
    const at = store.blocks.curveOf[this.runs.first[run]!]! * this.levels + level;
    return store.compression.quality[at]! >= (objective.minQuality ?? 0);
  }

  /** The best place for a cache at a level: tier · levels + level; ABSENT where keeping it does not pay. */
  private bestPlace(run: number, from: number): number {
    let best = ABSENT;
    const { utility } = this;
    let most = utility.recomputes ? utility.absent(this.fill(run, from)) : Number.NEGATIVE_INFINITY;
    for (let level = 0; level < this.levels; level++) {
      if (!this.leadsTo(from, level) || !this.isOffered(run, level)) continue;
      const placed = this.fill(run, level);
      for (let tier = 0; tier < this.heaps.length; tier++) {
        const value = utility.kept(placed, tier);
        if (value > most) {
          most = value;
          best = tier * this.levels + level;
        }
      }
    }
    return best;
  }

  private storeAtBest(request: number, run: number): void {
    const { levelRule } = this.setting;
    const from = levelRule === undefined ? 0 : levelRule.levelFor(request, this.runs.first[run]!);
    const place = this.bestPlace(run, from);
    if (place === ABSENT) return;
    this.put(run, Math.floor(place / this.levels), place % this.levels);
    const parent = this.runs.parent[run]!;
    if (parent !== -1) {
      this.keptChildren[parent]!++;
      this.rank(parent);
    }
  }

  private put(run: number, tier: number, level: number): void {
    this.tier[run] = tier;
    this.level[run] = level;
    this.usedBytes[tier]! += this.bytesAt(run, level);
    this.findWayOut(run);
    this.heaps[tier]!.add(run);
    this.changed.push(run);
  }

  private take(run: number): void {
    const tier = this.tier[run]!;
    this.heaps[tier]!.remove(run);
    this.usedBytes[tier]! -= this.bytesAt(run, this.level[run]!);
    this.tier[run] = ABSENT;
    this.changed.push(run);
  }

  private rank(run: number): void {
    if (this.tier[run] === ABSENT) return;
    this.findWayOut(run);
    this.heaps[this.tier[run]!]!.update(run);
  }

  /** The option with the smallest loss among those that free room in the context's tier. */
  private findWayOut(run: number): void {
    const { utility, levels } = this;
    const tier = this.tier[run]!;
    const level = this.level[run]!;
    const now = utility.kept(this.fill(run, level), tier);
    const bytes = this.placed.storedBytes;
    let best = ABSENT;
    // What hangs on a context is of no use without it: it goes first.
    const mayGo = this.keptChildren[run] === 0;
    const absent = utility.absent(this.placed);
    let most = mayGo && utility.recomputes ? absent : Number.NEGATIVE_INFINITY;
    for (let to = 0; to < levels; to++) {
      if (!this.leadsTo(level, to) || (to !== level && !this.isOffered(run, to))) continue;
      const placed = this.fill(run, to);
      for (let t = placed.storedBytes < bytes ? tier : tier + 1; t < this.heaps.length; t++) {
        const value = utility.kept(placed, t);
        if (value > most) {
          most = value;
          best = t * levels + to;
        }
      }
    }
    if (best === ABSENT && mayGo) most = absent;
    this.wayOut[run] = best;
    this.loss[run] = now > most ? this.frequency[run]! + Math.log2(now - most) : Number.NEGATIVE_INFINITY;
  }

  /** Every context goes to its best place again, as if there were room; then room is made. */
  private replan(): void {
    for (let run = 0; run < this.runs.count; run++) {
      if (this.tier[run] === ABSENT) continue;
      const place = this.bestPlace(run, this.level[run]!);
      if (place === ABSENT || place === this.tier[run]! * this.levels + this.level[run]!) continue;
      this.take(run);
      this.put(run, Math.floor(place / this.levels), place % this.levels);
    }
  }

  private makeRoom(): void {
    const { capacityBytes } = this.setting.store;
    for (let tier = 0; tier < this.heaps.length; tier++) {
      const heap = this.heaps[tier]!;
      while (this.usedBytes[tier]! > capacityBytes[tier]! && heap.size > 0) {
        const run = heap.least();
        const way = this.wayOut[run]!;
        const stuck = way === ABSENT && this.keptChildren[run]! > 0;
        if (stuck) this.giveUpDescendants(run);
        this.take(run);
        if (way !== ABSENT) this.put(run, Math.floor(way / this.levels), way % this.levels);
        else this.letGoOfParent(run);
      }
    }
  }

  private letGoOfParent(run: number): void {
    const parent = this.runs.parent[run]!;
    if (parent === -1) return;
    this.keptChildren[parent]!--;
    this.rank(parent);
  }

  /** Only where a tier holds nothing but contexts on which others hang in other tiers. */
  private giveUpDescendants(run: number): void {
    for (let child = 0; child < this.runs.count; child++) {
      if (this.runs.parent[child] !== run || this.tier[child] === ABSENT) continue;
      this.giveUpDescendants(child);
      this.take(child);
    }
    this.keptChildren[run] = 0;
  }

  /** Brings the store to what was decided. */
  private carryOut(): void {
    const { store } = this.setting;
    const { tierOf, levelOf } = store;
    for (const run of this.changed) {
      const first = this.runs.first[run]!;
      const end = first + this.runs.length[run]!;
      const tier = this.tier[run]!;
      const level = this.level[run]!;
      for (let block = first; block < end; block++) {
        if (tier === ABSENT) {
          if (tierOf[block] !== ABSENT) store.drop(block);
        } else if (tierOf[block] === ABSENT) store.add(block, tier, level);
        else if (levelOf[block] !== level) store.restore(block, level, tier);
        else if (tierOf[block] !== tier) store.move(block, tier);
      }
    }
    this.changed = [];
  }
}
