import { prefillSeconds } from '../../cost/prefill.js';
import { Cascade, type EvictionOrder } from '../cascade.js';
import { LedOrder } from '../experts/led-order.js';
import { ExpertBoard } from '../experts/mix.js';
import { RunTable } from '../experts/run-table.js';
import { LevelChoice } from '../levels/level-choice.js';
import { RunLevels } from '../levels/run-levels.js';
import { Lists } from '../lists.js';
import type { Policy, PolicyKind, PolicySetting } from '../policy.js';
import { RecencyOrder } from './lru.js';

/** Re-plannings come early at first: after so many requests, and each time that many more have come. */
const FIRST_REPLAN = 16;

/** Levels by class and size always, where no mean quality is asked for that a class rule could be held to. */
const BY_SIZE = { byClassRule: false };

/**
 * The plan's own policy: what the plan knows is stored as the plan says, what it does not know by its class and
 * size, or by its class alone where shadow caches show that to be quicker; what is kept in each tier is decided by
 * the best of several experts, each of which plays the whole log in a shadow cache of its own: recency, decayed
 * frequency, and the expected next use by class and age.
 */
export const evicpress: PolicyKind = {
  name: 'evicpress',
  cost: 40,
  create: (setting) => new Evicpress(setting),
};

class Evicpress implements Policy {
  private readonly runs: RunTable;
  private readonly levels: RunLevels;
  private readonly choice: LevelChoice | undefined;
  private readonly board: ExpertBoard;
  private readonly cascade: Cascade;
  private readonly bytesPerSecond: readonly number[];
  /** Whether there is anything to choose but the uncompressed cache. */
  private readonly lossy: boolean;

  constructor(private readonly setting: PolicySetting) {
    const { trace, store, facts } = setting;
    this.runs = new RunTable(trace, facts);
    this.lossy = store.compression.levels.length > 1;
    if (this.lossy && setting.objective.meanQuality !== undefined && setting.levelRule === undefined)
      this.choice = new LevelChoice(setting, this.runs);
    this.levels = new RunLevels(setting, this.runs, this.choice ?? BY_SIZE);
    this.bytesPerSecond = setting.tiers.map((tier) => tier.read.bytesPerSecond);
    const cumulative = cumulativeCapacities(store.capacityBytes);
    this.board = new ExpertBoard(trace, this.runs, this.levels.stored.blockBytes, cumulative, this.lossy);
    this.levels.stored.onResize = (run, before, after) => this.board.resize(run, before, after);
    const lists = new Lists(trace.tokensOfBlock.length, store.tiers.length);
    const orders: EvictionOrder[] = store.tiers.map((_, tier) => {
      const mix = this.board.mixes[tier];
      return mix === undefined
        ? new RecencyOrder(lists, tier)
        : new LedOrder(this.runs, mix, trace.blocks, store.tierOf, tier);
    });
    const levelRule = { levelFor: (_: number, block: number) => this.levels.levelOf(block) };
    this.cascade = new Cascade({ ...setting, levelRule }, orders);
  }

  serve(request: number): void {
    const { trace } = this.setting;
    const { runs, board, levels } = this;
    board.arrive();
    runs.walk(request);
    this.choice?.serve(request, levels.adaptive.alpha);
    // Without compression there is nothing to choose, and nothing to learn it from.
    if (this.lossy) {
      levels.observe(request);
      levels.choose(request);
    } else {
      levels.storeWhole();
    }
    board.score(trace.reuse === 'prefix', trace.inputTokens[request]!);
    if (this.lossy) this.priceRoom(request);
    board.update(request);
    if (this.lossy && this.replansAfter(request)) {
      levels.replan(board.roomSeconds);
      this.choice?.replan();
    }
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
