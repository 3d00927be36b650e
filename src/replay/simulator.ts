import type { Model } from '../formats/model.js';
import type { Plan } from '../formats/plan.js';
import type { PolicyResult } from '../formats/replay.js';
import type { Tier } from '../formats/tiers.js';
import type { Trace } from '../traces/trace.js';
import { type Compression, curveOfBlocks } from './compression.js';
import type { LogFacts } from './log-facts.js';
import { summarise } from './metrics.js';
import { type QueueOptions, Queues } from './queues.js';
import type { PolicyRun } from './runs.js';
import { Scorekeeper, type Scores } from './scorekeeper.js';
import { TieredStore } from './store.js';

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
}

export interface ReplayOutcome {
  readonly result: PolicyResult;
  readonly scores: Scores;
  readonly store: TieredStore;
}

/** Replays a log under one policy, request by request in the log's order. */
export function replay(setting: ReplaySetting, run: PolicyRun): ReplayOutcome {
  const { trace, tiers, model, facts, warm } = setting;
  const store = createStore(setting);
  const scorekeeper = new Scorekeeper(trace, store, tiers, model, new Queues(trace, tiers, setting));
  const policy = run.kind.create({
    trace,
    store,
    tiers,
    model,
    levelRule: run.levelRule,
    history: warm,
    facts,
    ...(setting.plan !== undefined && { plan: setting.plan }),
  });
  let before = counters(store);
  for (let request = 0; request < trace.requests; request++) {
    if (request === warm) before = counters(store);
    scorekeeper.serve(request);
    policy.serve(request);
  }
  const { scores } = scorekeeper;
  const result = summarise({
    policy: run.name,
    trace,
    tiers,
    scores,
    warm,
    unlimitedTokens: facts.unlimitedTokens,
    before: warm < trace.requests ? before : counters(store),
    after: counters(store),
    engines: setting.engines,
    load: setting.load ?? 1,
  });
  return { result, scores, store };
}

function createStore({ trace, tiers, model, compression }: ReplaySetting): TieredStore {
  return new TieredStore(
    tiers.map((tier) => ({
      name: tier.name,
      capacityBytes:
        tier.capacityBytes === null
          ? Number.POSITIVE_INFINITY
          : Math.max(0, tier.capacityBytes - (tier.reservedBytes ?? 0)),
    })),
    {
      fullBytes: Float64Array.from(trace.tokensOfBlock, (tokens) => tokens * model.kvBytesPerToken),
      curveOf: curveOfBlocks(trace),
    },
    compression,
  );
}

function counters(store: TieredStore) {
  return { writtenBytes: store.writtenBytes.slice(), movedBytes: store.movedBytes };
}
