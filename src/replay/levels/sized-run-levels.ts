import { recomputeSeconds } from '../../cost/prefill.js';
import type { RunTable } from '../experts/run-table.js';
import { plannedLevels, UNPLANNED } from '../plan-levels.js';
import type { PolicySetting } from '../policy.js';
import { AdaptiveLevels } from './adaptive-levels.js';
import { CalibratedClassRule } from './calibrated-class-rule.js';
import { FoundReader } from './found.js';
import type { RunLevels } from './run-levels.js';
import { StoredRuns } from './stored-runs.js';

/** Two contexts of one size are taken for up to this much apart, so that no quality is missed by a whole size. */
const SIZE_SPREAD = 0.25;
/** A unit of quality is worth no more seconds than this, however little of it may be lost. */
const LARGEST_ALPHA = 1e6;

/**
 * Levels by class and size. A run's level is chosen once, when the run is stored, for the whole path of the request
 * that stores it: a request is as good as its worst part, so that a path has one level. What several paths share
 * costs them all; where that comes to more than its recomputation, it is recomputed and kept as all of them want it.
 */
export class SizedRunLevels implements RunLevels {
  readonly stored: StoredRuns;
  private readonly adaptive: AdaptiveLevels;
  private readonly found: FoundReader;
  /** What is chosen by till enough is known of sizes, where a mean quality is asked for. */
  private readonly classRule: CalibratedClassRule | undefined;
  private readonly planned: Int32Array | undefined;
  /** By curve: 1 once a request of it has come. */
  private readonly met: Uint8Array;
  private pathBytes = 0;
  private keptBytes = 0;
  private lossyBytes = 0;

  constructor(
    private readonly setting: PolicySetting,
    private readonly runs: RunTable,
  ) {
    this.stored = new StoredRuns(runs, setting.store);
    this.found = new FoundReader(setting, runs, this.stored);
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
    this.met = new Uint8Array(setting.store.compression.curves);
  }

  get alpha(): number {
    return this.adaptive.alpha;
  }

  observe(request: number): void {
    const found = this.found.find(request);
    this.adaptive.observe(request, found);
    const curve = this.setting.trace.classOf[request]! + 1;
    this.classRule?.observe(request, curve, found.bytes > 0, found.quality, false);
  }

  choose(request: number): void {
    const { runs, stored } = this;
    const { trace } = this.setting;
    const curve = trace.classOf[request]! + 1;
    const spread = this.spread();
    this.measure();
    const size = spread * this.freeBytes;
    const wanted = this.wantedQuality(curve, size);
    const meant = this.lossyBytes === 0 ? wanted : this.wantedQuality(curve, spread * this.pathBytes);
    const continued = 2 * this.keptBytes > this.pathBytes;
    this.met[curve] = 1;
    let worst = 1;
    let bytes = 0;
    for (let i = 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      const block = runs.first[run]!;
      const known = i < runs.knownLength;
      bytes += runs.length[run]! * this.setting.store.blocks.fullBytes[block]!;
      const planned = this.planned?.[block] ?? UNPLANNED;
      if (!known || stored.tierOf(run) === -1) {
        const level = planned !== UNPLANNED ? planned : stored.levelAt(run, Math.min(wanted, worst));
        stored.set(run, known, { level, size });
      } else if (planned !== UNPLANNED) {
        // What the plan names stays as it asks.
      } else if (stored.level[run] === 0) {
        if (stored.shared[run] === 1) this.compressShared(run, bytes, wanted);
        else if (!continued) stored.size[run] = 0;
        else if (this.adaptive.mayLoseMore)
          this.compressWhole(run, stored.levelAt(run, Math.min(wanted, worst)), size);
      } else {
        this.regretOf(request, run, Math.min(meant, worst), bytes);
      }
      if (trace.reuse === 'prefix') worst = Math.min(worst, stored.qualityOf(run));
    }
  }

  /** Uncompressed bytes of the walked path: all, kept, and kept with loss, which cannot be undone. */
  private measure(): void {
    const { runs, stored } = this;
    const { store } = this.setting;
    this.pathBytes = 0;
    this.keptBytes = 0;
    this.lossyBytes = 0;
    const deepest = runs.knownLength > 0 ? runs.path[runs.knownLength - 1]! : -1;
    for (let i = 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      const block = runs.first[run]!;
      const bytes = runs.length[run]! * store.blocks.fullBytes[block]!;
      this.pathBytes += bytes;
      if (i >= runs.knownLength) continue;
      // Somebody else has used it since the path's end was used last.
      if (runs.lastUse[run] !== runs.lastUse[deepest]) stored.shared[run] = 1;
      if (store.tierOf[block] === -1) continue;
      this.keptBytes += bytes;
      if (stored.level[run] !== 0) this.lossyBytes += bytes;
    }
  }

  private get freeBytes(): number {
    return this.pathBytes - this.lossyBytes;
  }

  replan(roomSeconds: number): void {
    this.classRule?.choose();
    if (this.adaptive.isIdle) return;
    const { store } = this.setting;
    const { tierOf, blocks } = store;
    const held = new Float64Array(store.compression.curves);
    for (let block = 0; block < tierOf.length; block++) {
      if (tierOf[block]! >= 0) held[blocks.curveOf[block]!]! += blocks.fullBytes[block]!;
    }
    let stored = 0;
    for (const used of store.usedBytes) stored += used;
    this.adaptive.choose(roomSeconds, held, stored);
  }

  private wantedQuality(curve: number, size: number): number {
    const { quality, levels } = this.setting.store.compression;
    const level =
      this.adaptive.ready || this.classRule === undefined
        ? this.adaptive.levelFor(curve, size)
        : this.classRule.levelFor(curve);
    return quality[curve * levels.length + level]!;
  }

  /**
   * A request meant to lose less than a kept run makes it lose. Once that, less what the run's smaller size has saved
   * it, has come to more than its recomputation, it is recomputed: kept whole, or as all want it who share it.
   * @param bytes of the path down to the run's end.
   */
  private regretOf(request: number, run: number, wanted: number, bytes: number): void {
    const { runs, stored } = this;
    const missing = wanted - stored.qualityOf(run);
    if (missing <= 1e-9) return;
    const { model, trace, charge } = this.setting;
    const lost = missing * Math.min(LARGEST_ALPHA, this.adaptive.alpha) - this.savedBy(run, wanted, bytes);
    stored.regret[run] = Math.max(0, stored.regret[run]! + lost);
    let tokensBefore = 0;
    for (let i = 0; runs.path[i] !== run; i++)
      tokensBefore += runs.length[runs.path[i]!]! * trace.blockTokens;
    const tokens = runs.length[run]! * runs.tokensPerBlock(run);
    const seconds = recomputeSeconds(model, tokensBefore, tokens);
    if (stored.regret[run]! < seconds || !this.adaptive.mayHaveToRestore) return;
    stored.storeAnew(run, stored.shared[run] === 1 ? this.levelForAll(run, bytes, wanted) : 0, 0);
    charge(request, seconds);
  }

  /** Seconds by which a reuse of a run is quicker as it is than at a quality, or at that which all want who share it. */
  private savedBy(run: number, quality: number, pathBytes: number): number {
    const { runs, stored } = this;
    const level =
      stored.shared[run] === 1 ? this.levelForAll(run, pathBytes, quality) : stored.levelAt(run, quality);
    const bytes = runs.length[run]! * this.setting.store.blocks.fullBytes[runs.first[run]!]!;
    return bytes * (this.secondsPerByteAt(run, level) - this.secondsPerByteAt(run, stored.level[run]!));
  }

  /** Seconds a reuse of a run costs for each of its uncompressed bytes, at a level. */
  private secondsPerByteAt(run: number, level: number): number {
    const { blocks, compression } = this.setting.store;
    const curve = blocks.curveOf[this.runs.first[run]!]!;
    return this.adaptive.secondsPerByte[curve * compression.levels.length + level]!;
  }

  /**
   * The level of a run that several sessions share: no class is served worse than it wants to be by a path that ends
   * with the run, nor this request worse than it wants to be.
   */
  private levelForAll(run: number, bytes: number, wanted: number): number {
    let quality = wanted;
    for (let curve = 0; curve < this.met.length; curve++)
      if (this.met[curve] === 1) quality = Math.max(quality, this.wantedQuality(curve, bytes));
    const level = this.stored.levelAt(run, quality);
    // The smallest level that is good enough may take longer to decompress than its size saves.
    return this.secondsPerByteAt(run, level) < this.secondsPerByteAt(run, 0) ? level : 0;
  }

  /** What several sessions share and is kept whole is compressed where it lies as far as all of them want it to be. */
  private compressShared(run: number, bytes: number, wanted: number): void {
    const level = this.levelForAll(run, bytes, wanted);
    if (level !== 0 && this.adaptive.mayLoseMore) this.stored.storeAnew(run, level, 0);
    this.stored.size[run] = 0;
  }

  /** What is kept whole can still be compressed where it lies, once its path has grown long enough. */
  private compressWhole(run: number, level: number, size: number): void {
    if (level !== 0) this.stored.storeAnew(run, level, size);
    this.stored.size[run] = size;
  }

  /** A factor near 1 that depends on nothing but where the walked path begins. */
  private spread(): number {
    const { runs } = this;
    if (runs.pathLength === 0) return 1;
    const block = runs.first[runs.path[Math.min(1, runs.pathLength - 1)]!]!;
    return 2 ** (SIZE_SPREAD * (drawOf(block) - 0.5));
  }
}

/** A number in [0, 1) that depends on nothing but the block. */
function drawOf(block: number): number {
  let hash = Math.imul(block ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
