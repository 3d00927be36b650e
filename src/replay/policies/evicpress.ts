import { prefillSeconds } from '../../cost/prefill.js';
import { Cascade, type EvictionOrder } from '../cascade.js';
import { LedOrder } from '../experts/led-order.js';
import { ExpertBoard } from '../experts/mix.js';
import { RunTable } from '../experts/run-table.js';
import { ClassRuleLevels } from '../levels/class-rule-levels.js';
import { GivenLevels } from '../levels/given-levels.js';
import type { RunLevels } from '../levels/run-levels.js';
import { SizedRunLevels } from '../levels/sized-run-levels.js';
import { type Candidate, classRuleIsAhead } from '../levels/trial.js';
import { Lists } from '../lists.js';
import type { PolicyKind, PolicySetting } from '../policy.js';
import { RecencyOrder } from './lru.js';

/** Re-plannings come early at first: after so many requests, and each time that many more have come. */
const FIRST_REPLAN = 16;

/**
 * The plan's own policy: what the plan knows is stored as the plan says, what it does not know by its class and
 * size, or by its class alone where that does better on the history; what is kept in each tier is decided by
 * the best of several experts, each of which plays the whole log in a shadow cache of its own: recency, decayed
 * frequency, and the expected next use by class and age.
 */
export const evicpress: PolicyKind = {
  name: 'evicpress',
  cost: 40,
  create: (setting) => new Evicpress(setting, followsClassRule(setting)),
};

/** Only where a mean quality is asked for is there a class rule to follow: the one that holds it. */
function followsClassRule(setting: PolicySetting): boolean {
  if (!choosesLevels(setting) || setting.objective.meanQuality === undefined) return false;
  return classRuleIsAhead(setting, (trial, byClassRule) => new Evicpress(trial, byClassRule));
}

/** Whether levels are the policy's to choose: its name says none, and there are others than the whole. */
function choosesLevels({ store, levelRule }: PolicySetting): boolean {
  return levelRule === undefined && store.compression.levels.length > 1;
}

class Evicpress implements Candidate {
  private readonly runs: RunTable;
  private readonly levels: RunLevels;
  private readonly board: ExpertBoard;
  private readonly cascade: Cascade;
  private readonly bytesPerSecond: readonly number[];
  private readonly choosesLevels: boolean;

  constructor(
    private readonly setting: PolicySetting,
    byClassRule: boolean,
  ) {
    const { trace, store, facts } = setting;
    this.runs = new RunTable(trace, facts);
    this.choosesLevels = choosesLevels(setting);
    this.levels = levelsOf(setting, this.runs, byClassRule);
    this.bytesPerSecond = setting.tiers.map((tier) => tier.read.bytesPerSecond);
    const cumulative = cumulativeCapacities(store.capacityBytes);
    this.board = new ExpertBoard(
      trace,
      this.runs,
      this.levels.stored.blockBytes,
      cumulative,
      this.choosesLevels,
    );
    this.levels.stored.onResize = (run, before, after) => this.board.resize(run, before, after);
    const lists = new Lists(trace.tokensOfBlock.length, store.tiers.length);
    const orders: EvictionOrder[] = store.tiers.map((_, tier) => {
      const mix = this.board.mixes[tier];
      return mix === undefined
        ? new RecencyOrder(lists, tier)
        : new LedOrder(this.runs, mix, trace.blocks, store.tierOf, tier);
    });
    const { level } = this.levels.stored;
    const levelRule = { levelFor: (_: number, block: number) => level[this.runs.runOf[block]!]! };
    this.cascade = new Cascade({ ...setting, levelRule }, orders);
  }

  get alpha(): number {
    return this.levels.alpha;
  }

  serve(request: number): void {
    const { trace } = this.setting;
    const { runs, board, levels } = this;
    board.arrive();
    runs.walk(request);
    levels.observe(request);
    levels.choose(request);
    board.score(trace.reuse === 'prefix', trace.inputTokens[request]!);
    if (this.choosesLevels) this.priceRoom(request);
    board.update(request);
    if (this.choosesLevels && this.replansAfter(request)) levels.replan(board.roomSeconds);
    this.cascade.serve(request);
  }

  private priceRoom(request: number): void {
    const { trace, model } = this.setting;
    const inputTokens = trace.inputTokens[request]!;
    this.board.priceRoom(this.bytesPerSecond, (tokens) =>
      prefillSeconds(model, Math.min(inputTokens, tokens)),
    );
  }

  private replansAfter(request: number): boolean {
    const { replanning } = this.setting;
    if (replanning.isDueAfter(request)) return true;
    const served = request + 1;
    return !replanning.started && served >= FIRST_REPLAN && (served & (served - 1)) === 0;
  }
}

function levelsOf(setting: PolicySetting, runs: RunTable, byClassRule: boolean): RunLevels {
  const { store, levelRule, objective } = setting;
  if (!choosesLevels(setting)) return new GivenLevels(runs, store, levelRule);
  if (byClassRule) return new ClassRuleLevels(setting, runs, objective.meanQuality!);
  return new SizedRunLevels(setting, runs);
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
