import { recomputeSeconds } from '../cost/prefill.js';
import { transferSeconds } from '../cost/transfer.js';
import { AdaptiveLevels } from './adaptive-levels.js';
import { CalibratedClassRule } from './calibrated-class-rule.js';
import type { Column, RunTable } from './experts/run-table.js';
import { type LevelRule, smallestLevel } from './level-rule.js';
import { plannedLevels, UNPLANNED } from './plan-levels.js';
import type { PolicySetting } from './policy.js';

/** Two contexts of one size are taken for up to this much apart, so that no quality is missed by a whole size. */
const SIZE_SPREAD = 0.25;

/** The largest context that a request found: bytes for which its level was chosen, and its curve. */
export interface FoundContext {
  readonly size: number;
  readonly curve: number;
}

/** Which way to choose levels is followed at present. */
export interface LevelLead {
  /** What a request found where the adaptive levels lead always. */
  readonly found?: FoundContext;
  /** The class rule instead of the adaptive levels; only where a mean quality is asked for. */
  readonly byClassRule: boolean;
}

/**
 * At which level every run is stored. It is chosen once, when the run is stored, for the whole path of the
 * request that stores it: a request is as good as its worst part, so that a path has one level. What several
 * paths share costs them all; where that comes to more than its recomputation, it is recomputed and kept whole.
 */
export class RunLevels {
  /** By run: bytes of one block at its level. */
  readonly blockBytes: Column<Float64Array>;
  readonly adaptive: AdaptiveLevels;
  /** Of the walked request. */
  found: FoundContext = { size: 0, curve: 0 };
  private readonly classRule: CalibratedClassRule | undefined;
  /** Hears of a run whose blocks change their size. */
  onResize: ((run: number, before: number, after: number) => void) | undefined;
  private readonly level: Column<Int32Array>;
  /** By run: bytes of the whole path for which it was stored; 0 where it is kept whole for all. */
  private readonly size: Column<Float64Array>;
  /** By run: 1 where several sessions use it. */
  private readonly shared: Column<Uint8Array>;
  /** By run: seconds' worth of quality that requests have lost to it beyond what they were meant to lose. */
  private readonly regret: Column<Float64Array>;
  /** By run: 1 where the class rule chose its level. */
  private readonly byClass: Column<Uint8Array>;
  private readonly planned: Int32Array | undefined;
  private readonly loaded: Float64Array;
  private pathBytes = 0;
  private keptBytes = 0;
  private lossyBytes = 0;

  constructor(
    private readonly setting: PolicySetting,
    private readonly runs: RunTable,
    private readonly lead: LevelLead,
  ) {
    this.blockBytes = runs.float64();
    this.level = runs.int32();
    this.size = runs.float64();
    this.shared = runs.uint8();
    this.regret = runs.float64();
    this.byClass = runs.uint8();
    this.planned = plannedLevels(setting);
    this.adaptive = new AdaptiveLevels(setting, setting.objective);
    const { meanQuality, minQuality } = setting.objective;
    if (meanQuality !== undefined)
      this.classRule = new CalibratedClassRule(
        setting.store.compression,
        meanQuality,
        minQuality,
        setting.history,
      );
    this.loaded = new Float64Array(setting.tiers.length);
  }

  levelOf(block: number): number {
    return this.level.data[this.runs.runOf[block]!]!;
  }

  /** Notes what the walked path found in the caches. */
  observe(request: number): void {
    const { runs } = this;
    const { store, tiers, trace } = this.setting;
    const prefix = trace.reuse === 'prefix';
    let bytes = 0;
    let size = 0;
    let curve = trace.classOf[request]! + 1;
    let quality = 1;
    this.loaded.fill(0);
    for (let i = 0; i < runs.knownLength; i++) {
      const run = runs.path[i]!;
      const block = runs.first.data[run]!;
      const tier = store.tierOf[block]!;
      if (tier === -1) {
        if (prefix) break;
        continue;
      }
      const length = runs.length.data[run]!;
      bytes += length * store.blocks.fullBytes[block]!;
      this.loaded[tier]! += length * this.blockBytes.data[run]!;
      quality = Math.min(quality, this.qualityAt(block, this.level.data[run]!));
      if (this.size.data[run]! > size) {
        size = this.size.data[run]!;
        curve = store.blocks.curveOf[block]!;
      }
    }
    let loaded = 0;
    let seconds = 0;
    for (let t = 0; t < tiers.length; t++) {
      loaded += this.loaded[t]!;
      seconds += transferSeconds(tiers[t]!.read, this.loaded[t]!);
    }
    const byClass = this.classRule !== undefined && this.belongsToClassRule();
    this.found = { size, curve };
    const as = this.lead.found !== undefined && this.lead.found.size > 0 ? this.lead.found : this.found;
    this.adaptive.observe(request, as.curve, as.size, bytes, loaded, seconds, quality, !byClass);
    this.classRule?.observe(request, trace.classOf[request]! + 1, bytes > 0, quality, byClass);
  }

  /** Chooses the levels of what the walked path has to store. */
  choose(request: number): void {
    const { runs, level } = this;
    const { store, trace, levelRule } = this.setting;
    if (levelRule !== undefined) {
      this.follow(levelRule, request);
      return;
    }
    const curve = trace.classOf[request]! + 1;
    const spread = this.spread();
    this.measure();
    const size = spread * this.freeBytes;
    if (this.classRule !== undefined && this.belongsToClassRule()) {
      this.followClassRule(this.classRule.levelFor(curve), size);
      return;
    }
    const wanted = this.wantedQuality(curve, size);
    const meant = this.lossyBytes === 0 ? wanted : this.wantedQuality(curve, spread * this.pathBytes);
    const continued = 2 * this.keptBytes > this.pathBytes;
    let worst = 1;
    for (let i = 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      const block = runs.first.data[run]!;
      const known = i < runs.knownLength;
      const planned = this.planned?.[block] ?? UNPLANNED;
      if (!known || store.tierOf[block] === -1) {
        this.set(run, known, planned !== UNPLANNED ? planned : this.levelAt(block, Math.min(wanted, worst)));
        this.size.data[run] = size;
        this.regret.data[run] = 0;
        this.byClass.data[run] = 0;
      } else if (planned !== UNPLANNED) {
        // What the plan names stays as it asks.
      } else if (level.data[run] === 0) {
        if (this.shared.data[run] === 1 || !continued) this.size.data[run] = 0;
        else this.compressWhole(run, this.levelAt(block, Math.min(wanted, worst)), size);
      } else {
        this.regretOf(request, run, Math.min(meant, worst));
      }
      if (trace.reuse === 'prefix') worst = Math.min(worst, this.qualityAt(block, level.data[run]!));
    }
  }

  /** Levels as the policy's name says. */
  private follow(rule: LevelRule, request: number): void {
    const { runs } = this;
    for (let i = 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      const block = runs.first.data[run]!;
      const known = i < runs.knownLength;
      if (!known || this.setting.store.tierOf[block] === -1)
        this.set(run, known, rule.levelFor(request, block));
    }
  }

  /** A context keeps to the way in which it began: half of it by each is worse than either. */
  private belongsToClassRule(): boolean {
    const { runs } = this;
    const { tierOf } = this.setting.store;
    let kept = runs.knownLength - 1;
    while (kept >= 0 && tierOf[runs.first.data[runs.path[kept]!]!] === -1) kept--;
    if (kept < 0) return this.lead.byClassRule;
    const deepest = runs.path[kept]!;
    if (this.shared.data[deepest] === 1) return this.lead.byClassRule;
    return this.byClass.data[deepest] === 1;
  }

  /** What has to be stored gets its class's level, unless the plan names it; what is kept stays as it is. */
  private followClassRule(level: number, size: number): void {
    const { runs } = this;
    for (let i = 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      const block = runs.first.data[run]!;
      const known = i < runs.knownLength;
      if (known && this.setting.store.tierOf[block] !== -1) continue;
      const planned = this.planned?.[block] ?? UNPLANNED;
      this.set(run, known, planned !== UNPLANNED ? planned : level);
      this.size.data[run] = size;
      this.regret.data[run] = 0;
      this.byClass.data[run] = 1;
    }
  }

  /** Uncompressed bytes of the walked path: all, kept, and kept with loss, which cannot be undone. */
  private measure(): void {
    const { runs } = this;
    const { store } = this.setting;
    this.pathBytes = 0;
    this.keptBytes = 0;
    this.lossyBytes = 0;
    const deepest = runs.knownLength > 0 ? runs.path[runs.knownLength - 1]! : -1;
    for (let i = 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      const block = runs.first.data[run]!;
      const bytes = runs.length.data[run]! * store.blocks.fullBytes[block]!;
      this.pathBytes += bytes;
      if (i >= runs.knownLength) continue;
      // Somebody else has used it since the path's end was used last.
      if (runs.lastUse.data[run] !== runs.lastUse.data[deepest]) this.shared.data[run] = 1;
      if (store.tierOf[block] === -1) continue;
      this.keptBytes += bytes;
      if (this.level.data[run] !== 0) this.lossyBytes += bytes;
    }
  }

  private get freeBytes(): number {
    return this.pathBytes - this.lossyBytes;
  }

  /** Chooses anew what sizes and classes get. */
  replan(roomSeconds: number): void {
    const { store } = this.setting;
    const { tierOf, blocks } = store;
    const held = new Float64Array(store.compression.curves);
    for (let block = 0; block < tierOf.length; block++) {
      if (tierOf[block]! >= 0) held[blocks.curveOf[block]!]! += blocks.fullBytes[block]!;
    }
    let stored = 0;
    for (const used of store.usedBytes) stored += used;
    this.adaptive.choose(roomSeconds, held, stored);
    this.classRule?.choose();
  }

  private wantedQuality(curve: number, size: number): number {
    const { quality, levels } = this.setting.store.compression;
    const level =
      this.adaptive.ready || this.classRule === undefined
        ? this.adaptive.levelFor(curve, size)
        : this.classRule.levelFor(curve);
    return quality[curve * levels.length + level]!;
  }

  /** The level of a block's curve that takes the fewest bytes and is no worse than so. */
  private levelAt(block: number, quality: number): number {
    const { compression, blocks } = this.setting.store;
    return quality >= 1 ? 0 : smallestLevel(compression, blocks.curveOf[block]!, quality);
  }

  /** A request meant to lose less than a kept run makes it lose: in the long run that is worth recomputing it. */
  private regretOf(request: number, run: number, wanted: number): void {
    const { runs, regret } = this;
    const block = runs.first.data[run]!;
    const missing = wanted - this.qualityAt(block, this.level.data[run]!);
    if (missing <= 1e-9) return;
    regret.data[run]! += missing * Math.min(1e6, this.adaptive.alpha);
    const { model, trace, charge } = this.setting;
    let tokensBefore = 0;
    for (let i = 0; runs.path[i] !== run; i++)
      tokensBefore += runs.length.data[runs.path[i]!]! * trace.blockTokens;
    const tokens = runs.length.data[run]! * (trace.blockTokens || trace.tokensOfBlock[block]!);
    const seconds = recomputeSeconds(model, tokensBefore, tokens);
    if (regret.data[run]! < seconds) return;
    this.storeAnew(run, 0, 0);
    charge(request, seconds);
  }

  /** What is kept whole can still be compressed where it lies, once its path has grown long enough. */
  private compressWhole(run: number, level: number, size: number): void {
    if (level !== 0) this.storeAnew(run, level, size);
    this.size.data[run] = size;
  }

  private storeAnew(run: number, level: number, size: number): void {
    const { runs } = this;
    const { store } = this.setting;
    const first = runs.first.data[run]!;
    for (let block = first; block < first + runs.length.data[run]!; block++)
      if (store.tierOf[block] !== -1) store.restore(block, level);
    this.set(run, true, level);
    this.size.data[run] = size;
    this.regret.data[run] = 0;
  }

  private set(run: number, known: boolean, level: number): void {
    const before = this.blockBytes.data[run]!;
    if (known && level === this.level.data[run]) return;
    const bytes = this.setting.store.bytesAt(this.runs.first.data[run]!, level);
    this.level.data[run] = level;
    this.blockBytes.data[run] = bytes;
    if (known) this.onResize?.(run, before, bytes);
  }

  private qualityAt(block: number, level: number): number {
    const { compression, blocks } = this.setting.store;
    return compression.quality[blocks.curveOf[block]! * compression.levels.length + level]!;
  }

  /** A factor near 1 that depends on nothing but where the walked path begins. */
  private spread(): number {
    const { runs } = this;
    if (runs.pathLength === 0) return 1;
    const block = runs.first.data[runs.path[Math.min(1, runs.pathLength - 1)]!]!;
    return 2 ** (SIZE_SPREAD * (drawOf(block) - 0.5));
  }
}

/** A number in [0, 1) that depends on nothing but the block. */
function drawOf(block: number): number {
  let hash = Math.imul(block ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
