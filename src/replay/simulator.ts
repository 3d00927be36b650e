import type { Model } from '../formats/model.js';
import type { Plan } from '../formats/plan.js';
import type { PolicyResult } from '../formats/replay.js';
import type { Tier } from '../formats/tiers.js';
import type { Trace } from '../traces/trace.js';
import type { Compression } from './compression.js';
import { sweepLoad, type TtftTarget } from './load-sweep.js';
import type { LogFacts } from './log-facts.js';
import { summarise } from './metrics.js';
import { fullPrefill } from './policies/full-prefill.js';
import type { Objective } from './policy.js';
import { type QueueOptions, Queues } from './queues.js';
import { DEFAULT_REPLAN, ReplanClock, type ReplanEvery } from './replanning.js';
import type { PolicyRun } from './runs.js';
import { Scorekeeper, type Scores } from './scorekeeper.js';
import { StoreBlocks, TieredStore } from './store.js';

/** Seconds of TTFT one unit of quality is worth where nobody says, as in planning. */
const DEFAULT_ALPHA = 1;

/** What a log is replayed against. */
export interface ReplaySetting extends QueueOptions {
  readonly trace: Trace;
  readonly facts: LogFacts;
  /** Fast to slow; capacities as they are to be, null for unlimited. */
  readonly tiers: readonly Tier[];
  readonly model: Model;
  readonly compression: Compression;
  /** Requests that only fill the caches, and that planning may learn from. */
  readonly warm: number;
  readonly plan?: Plan;
  readonly objective?: Objective;
  /** A TTFT target whose breaking load is looked for. */
  readonly target?: TtftTarget;
  /** How often policies that plan do so anew. */
  readonly replanEvery?: ReplanEvery;
}

/** The result of one policy, its scores over time and the store as it stands at the end. */
export interface ReplayOutcome {
  readonly result: PolicyResult;
  readonly scores: Scores;
  readonly store: TieredStore;
}

/** Replays a log under one policy, request by request in the log's order. */
export function replay(setting: ReplaySetting, run: PolicyRun): ReplayOutcome {
  const { trace, model, facts, warm } = setting;
  // A tier without room takes part in nothing.
  const tiers = setting.tiers.filter((tier) => usableBytes(tier) > 0);
  const store = createStore({ ...setting, tiers }, run.kind.storesWhole);
  const scorekeeperOf = (kept: TieredStore) =>
    new Scorekeeper(trace, kept, tiers, model, new Queues(trace, tiers, setting));
  const scorekeeper = scorekeeperOf(store);
  const kind = tiers.length === 0 ? fullPrefill : run.kind;
  const policy = kind.create({
    trace,
    store,
    tiers,
    model,
    ...(run.parameter !== undefined && { parameter: run.parameter }),
    ...(run.levelRule !== undefined && { levelRule: run.levelRule }),
    objective: setting.objective ?? { alpha: DEFAULT_ALPHA },
    replanning: new ReplanClock(trace, setting.replanEvery ?? DEFAULT_REPLAN, setting.load ?? 1),
    charge: (request, seconds) => scorekeeper.charge(request, seconds),
    scorekeeper,
    scorekeeperOf,
    history: warm,
    facts,
    ...(setting.plan !== undefined && { plan: setting.plan }),
  });
  let before = counters(store);
  for (let request = 0; request < trace.requests; request++) {
    if (request === warm) before = counters(store);
    if (policy.findsRuns === true) {
      policy.serve(request);
      scorekeeper.serveFound(request);
    } else {
      scorekeeper.serve(request);
      policy.serve(request);
    }
  }
  policy.finish?.();
  const { scores } = scorekeeper;
  const result = summarise({
    policy: run.name,
    trace,
    tiers,
    model,
    emptyTiers: setting.tiers.filter((tier) => !tiers.includes(tier)).map((tier) => tier.name),
    scores,
    warm,
    unlimitedTokens: facts.unlimitedTokens,
    before: warm < trace.requests ? before : counters(store),
    after: counters(store),
    engines: setting.engines,
    load: setting.load ?? 1,
  });
  const swept = setting.target !== undefined && warm < trace.requests;
  return {
    result: swept
      ? { ...result, sweep: sweepLoad(trace, tiers, scores, warm, setting, setting.target!) }
      : result,
    scores,
    store,
  };
}

function createStore(
  { trace, tiers, model, compression }: ReplaySetting,
  storesWhole?: boolean,
): TieredStore {
  return new TieredStore(
    tiers.map((tier) => ({
      name: tier.name,
      capacityBytes: usableBytes(tier),
    })),
    new StoreBlocks(trace, model.kvBytesPerToken),
    compression,
    storesWhole,
  );
}

/** What a tier has for caches; Infinity: unlimited. */
export function usableBytes(tier: Tier): number {
  if (tier.capacityBytes === null) return Number.POSITIVE_INFINITY;
  return Math.max(0, tier.capacityBytes - (tier.reservedBytes ?? 0));
}

function counters(store: TieredStore) {
  return { writtenBytes: store.writtenBytes.slice(), movedBytes: store.movedBytes };
}
