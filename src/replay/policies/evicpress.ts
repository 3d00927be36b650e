import { prefillSeconds, recomputeSeconds } from '../../cost/prefill.js';
import { AdaptiveLevels } from '../adaptive-levels.js';
import { Cascade, type EvictionOrder } from '../cascade.js';
import { LedOrder } from '../experts/led-order.js';
import { ExpertBoard } from '../experts/mix.js';
import { type Column, RunTable } from '../experts/run-table.js';
import { Lists } from '../lists.js';
import { plannedLevels, UNPLANNED } from '../plan-levels.js';
import type { Policy, PolicyKind, PolicySetting } from '../policy.js';
import { RecencyOrder } from './lru.js';

/**
 * The plan's own policy: what the plan knows is stored as the plan says, what it does not know by the rule of
 * its class; what is kept in each tier is decided by the best of several experts, each of which plays the whole
 * log in a shadow cache of its own: recency, decayed frequency, and the expected next use by class and age.
 */
export const evicpress: PolicyKind = {
  name: 'evicpress',
  create: (setting) => new Evicpress(setting),
};

class Evicpress implements Policy {
  private readonly runs: RunTable;
  private readonly blockBytes: Column<Float64Array>;
  /** By run: the level at which its blocks are stored. */
  private readonly level: Column<Int32Array>;
  /** By run: the class of the request that had it first, and 1 where another class has used it too. */
  private readonly firstClass: Column<Int32Array>;
  private readonly shared: Column<Uint8Array>;
  private readonly board: ExpertBoard;
  private readonly cascade: Cascade;
  private readonly planned: Int32Array | undefined;
  private readonly adaptive: AdaptiveLevels;

  constructor(private readonly setting: PolicySetting) {
    const { trace, store, facts } = setting;
    this.planned = plannedLevels(setting);
    this.adaptive = new AdaptiveLevels(setting, setting.objective);
    this.runs = new RunTable(trace, facts);
    this.blockBytes = this.runs.float64();
    this.level = this.runs.int32();
    this.firstClass = this.runs.int32();
    this.shared = this.runs.uint8();
    const cumulative = cumulativeCapacities(store.capacityBytes);
    this.board = new ExpertBoard(trace, this.runs, this.blockBytes, cumulative);
    const lists = new Lists(trace.tokensOfBlock.length, store.tiers.length);
    const orders: EvictionOrder[] = store.tiers.map((_, tier) => {
      const mix = this.board.mixes[tier];
      return mix === undefined
        ? new RecencyOrder(lists, tier)
        : new LedOrder(this.runs, mix, store.tierOf, tier);
    });
    const levelRule = { levelFor: (_: number, block: number) => this.level.data[this.runs.runOf[block]!]! };
    this.cascade = new Cascade({ ...setting, levelRule }, orders);
  }

  serve(request: number): void {
    const { trace, model, replanEvery } = this.setting;
    const { runs, board } = this;
    board.arrive();
    runs.walk(request);
    this.chooseLevels(request);
    const inputTokens = trace.inputTokens[request]!;
    const prefix = trace.reuse === 'prefix';
    const tokensPerBlock = prefix ? trace.blockTokens : inputTokens / Math.max(1, runs.pathLength);
    for (const mix of board.mixes) {
      mix.score(prefix, (blocks) => prefillSeconds(model, Math.min(inputTokens, blocks * tokensPerBlock)));
    }
    this.observeHits(request);
    board.update(request);
    if (request % replanEvery === replanEvery - 1)
      this.adaptive.choose(board.mixes.at(-1)?.pricePerByte ?? 0);
    this.cascade.serve(request);
  }

  /**
   * What the policy's name says, else the plan, else the level of the path so far where that is lossy already
   * (a request is as good as its worst part), else the class's level.
   */
  private levelOf(request: number, block: number, levelBefore: number): number {
    const { levelRule } = this.setting;
    if (levelRule !== undefined) return levelRule.levelFor(request, block);
    const planned = this.planned?.[block] ?? UNPLANNED;
    if (planned !== UNPLANNED) return planned;
    return levelBefore !== 0 ? levelBefore : this.adaptive.levelFor(request, drawOf(block));
  }

  private observeHits(request: number): void {
    const { runs } = this;
    const { store } = this.setting;
    let bytes = 0;
    for (let i = 0; i < runs.knownLength; i++) {
      const first = runs.first.data[runs.path[i]!]!;
      if (store.tierOf[first] !== -1)
        bytes += runs.length.data[runs.path[i]!]! * store.blocks.fullBytes[first]!;
    }
    this.adaptive.observe(request, bytes);
  }

  /**
   * A run's level is chosen when it is stored: when it is new, or when nothing of it is kept any more. A lossy
   * head that turns out to be shared by several classes, and is worse than they get otherwise, is recomputed and
   * stored better, at the request's cost.
   */
  private chooseLevels(request: number): void {
    const { runs, level } = this;
    const { store, trace, levelRule } = this.setting;
    const requestClass = trace.classOf[request]!;
    let levelBefore = 0;
    for (let i = 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      const known = i < runs.knownLength;
      if (!known) this.firstClass.data[run] = requestClass;
      else if (this.firstClass.data[run] !== requestClass) this.shared.data[run] = 1;
      const shared = this.shared.data[run] === 1 && levelRule === undefined;
      const kept = known && store.tierOf[runs.first.data[run]!] !== -1;
      const sharedLevel = shared
        ? this.adaptive.sharedLevelFor(store.blocks.curveOf[runs.first.data[run]!]!)
        : 0;
      if (kept && shared && this.isWorse(run, sharedLevel)) this.restore(request, run, sharedLevel);
      if (!kept)
        this.setLevel(
          run,
          known,
          shared ? sharedLevel : this.levelOf(request, runs.first.data[run]!, levelBefore),
        );
      levelBefore = shared ? 0 : level.data[run]!;
    }
  }

  private isWorse(run: number, level: number): boolean {
    const { store } = this.setting;
    const { levels, quality } = store.compression;
    const at = store.blocks.curveOf[this.runs.first.data[run]!]! * levels.length;
    return quality[at + this.level.data[run]!]! < quality[at + level]!;
  }

  private setLevel(run: number, known: boolean, chosen: number): void {
    const { runs, level, blockBytes } = this;
    if (known && chosen === level.data[run]) return;
    const bytes = this.setting.store.bytesAt(runs.first.data[run]!, chosen);
    if (known) {
      for (const mix of this.board.mixes)
        for (const shadow of mix.shadows) shadow.resize(run, blockBytes.data[run]!, bytes);
    }
    level.data[run] = chosen;
    blockBytes.data[run] = bytes;
  }

  private restore(request: number, run: number, level: number): void {
    const { runs } = this;
    const { store, model, trace, charge } = this.setting;
    const first = runs.first.data[run]!;
    const length = runs.length.data[run]!;
    for (let block = first; block < first + length; block++)
      if (store.tierOf[block] !== -1) store.restore(block, level);
    this.setLevel(run, true, level);
    let blocksBefore = 0;
    for (let i = 0; runs.path[i] !== run; i++) blocksBefore += runs.length.data[runs.path[i]!]!;
    charge(request, recomputeSeconds(model, blocksBefore * trace.blockTokens, length * trace.blockTokens));
  }
}

/** A number in [0, 1) that depends on nothing but the block. */
function drawOf(block: number): number {
  let hash = Math.imul(block ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** Bytes of the first tier, the first two, …, as long as they are finite. */
function cumulativeCapacities(capacityBytes: Float64Array): number[] {
  const sums: number[] = [];
  let sum = 0;
  for (const capacity of capacityBytes) {
    sum += capacity;
    if (!Number.isFinite(sum)) break;
    sums.push(sum);
  }
  return sums;
}
