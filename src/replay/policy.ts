import type { Model } from '../formats/model.js';
import type { Plan } from '../formats/plan.js';
import type { Tier } from '../formats/tiers.js';
import type { Named } from '../registry.js';
import type { Trace } from '../traces/trace.js';
import type { LevelRule } from './level-rule.js';
import type { LogFacts } from './log-facts.js';
import type { ReplanClock } from './replanning.js';
import type { Scorekeeper } from './scorekeeper.js';
import type { TieredStore } from './store.js';

/** What policies that choose for themselves aim at. */
export interface Objective {
  /** Seconds of TTFT that one unit of quality is worth; not used where a mean quality is asked for. */
  readonly alpha: number;
  /** Mean quality over all requests, 1 for those that reuse nothing, as the result reports it. */
  readonly meanQuality?: number;
  /** No class is stored below this quality. */
  readonly minQuality?: number;
}

/** Everything a policy may look at. Of the trace it may use what came before the request it serves. */
export interface PolicySetting {
  readonly trace: Trace;
  readonly store: TieredStore;
  /** Fast to slow, as in the store. */
  readonly tiers: readonly Tier[];
  readonly model: Model;
  /** How a block that is stored for the first time is compressed, where the policy's name says it. */
  readonly levelRule?: LevelRule;
  readonly objective: Objective;
  /** When to plan anew. */
  readonly replanning: ReplanClock;
  /** Adds seconds of prefill to the request being served: for what a policy has recomputed of its own accord. */
  readonly charge: (request: number, seconds: number) => void;
  /** Keeps score of the store. */
  readonly scorekeeper: Scorekeeper;
  /** Keeps score of another store of the same tiers, as this one's is kept. */
  readonly scorekeeperOf: (store: TieredStore) => Scorekeeper;
  /** Number of requests at the start of the log that planning may learn from. */
  readonly history: number;
  /** What only clairvoyant policies may look at. */
  readonly facts: LogFacts;
  /** The plan to follow, where one was given. */
  readonly plan?: Plan;
  /** What follows the name, as in `lfu@500`; of kinds that take a parameter. */
  readonly parameter?: number;
}

/** Decides what is kept where. The simulator has scored a request before the policy hears of it. */
export interface Policy {
  /**
   * Request r has been served and its blocks are all at hand: keep, move and drop what you like. On return
   * no tier holds more than its capacity.
   */
  serve(request: number): void;
  /**
   * Set by a policy that knows without the store's columns what of a request lies where: its `serve` notes it in the
   * scorekeeper's `found`, and the request is scored after it, from there.
   */
  readonly findsRuns?: boolean;
  /** The log is at its end: time for the store's columns by block, of policies that do without them till then. */
  finish?(): void;
}

/** A policy by name; `create` makes a fresh one for a run. */
export interface PolicyKind extends Named {
  /** Whether caches are stored whole and only a level's share of them is loaded. */
  readonly storesWhole?: boolean;
  /** What a number behind the name means: `lfu@500`; kinds without take none. */
  readonly parameter?: string;
  /** What an access costs, beside 1 for LRU block by block: the longest of several runs start first. */
  readonly cost?: number;
  create(setting: PolicySetting): Policy;
}
