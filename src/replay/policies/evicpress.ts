import { prefillSeconds } from '../../cost/prefill.js';
import { Cascade, type EvictionOrder } from '../cascade.js';
import { LedOrder } from '../experts/led-order.js';
import { ExpertBoard } from '../experts/mix.js';
import { type Column, RunTable } from '../experts/run-table.js';
import type { LevelRule } from '../level-rule.js';
import { Lists } from '../lists.js';
import { planRule } from '../plan-levels.js';
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
  private readonly board: ExpertBoard;
  private readonly cascade: Cascade;
  private readonly levelRule: LevelRule;

  constructor(private readonly setting: PolicySetting) {
    const { trace, store, facts } = setting;
    this.levelRule = planRule(setting);
    this.runs = new RunTable(trace, facts);
    this.blockBytes = this.runs.float64();
    this.level = this.runs.int32();
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
    const { trace, model } = this.setting;
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
    board.update(request);
    this.cascade.serve(request);
  }

  /** A run's level is chosen when it is stored: when it is new, or when nothing of it is kept any more. */
  private chooseLevels(request: number): void {
    const { runs, level, blockBytes } = this;
    const { store } = this.setting;
    for (let i = 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      const first = runs.first.data[run]!;
      const known = i < runs.knownLength;
      if (known && store.tierOf[first] !== -1) continue;
      const chosen = this.levelRule.levelFor(request, first);
      if (known && chosen === level.data[run]) continue;
      const bytes = store.bytesAt(first, chosen);
      if (known) {
        for (const mix of this.board.mixes)
          for (const expert of mix.experts) expert.resize(run, blockBytes.data[run]!, bytes);
      }
      level.data[run] = chosen;
      blockBytes.data[run] = bytes;
    }
  }
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
