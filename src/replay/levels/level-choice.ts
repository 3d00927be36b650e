import type { RunTable } from '../experts/run-table.js';
import { lru } from '../policies/lru.js';
import type { Policy, PolicySetting } from '../policy.js';
import type { Scorekeeper } from '../scorekeeper.js';
import { type LevelLead, RunLevels } from './run-levels.js';
import type { Found } from './seen-reuses.js';

/** How often the better of the two is chosen, in requests. */
const CHOOSE_EVERY = 50;
/** Another way takes over when it is this share ahead: contexts by both ways side by side cost more than that. */
const LEAD = 0.03;
/** Half-life of what is remembered of seconds and quality, in requests. */
const MEMORY_HALF_LIFE = 1000;
/** Who loses more than the class rule pays so many times what quality is worth at the margin: it grows with the loss. */
const PRICE_OF_EXCESS = 2;
/** A unit of quality is worth no more seconds than this, however little of it may be lost. */
const LARGEST_ALPHA = 100;

/**
 * Whether contexts are stored by class and size or by the class rule, both for the quality that is asked for. Each
 * way plays the whole log in caches of its own under LRU, scored as the real ones are; class and size lead until the
 * class rule is clearly ahead. What has been stored stays as it is when the lead changes.
 */
export class LevelChoice implements LevelLead {
  byClassRule = false;
  private readonly adaptive: LevelShadow;
  private readonly classRule: LevelShadow;

  constructor(setting: PolicySetting, runs: RunTable) {
    this.adaptive = new LevelShadow(setting, runs, false);
    this.classRule = new LevelShadow(setting, runs, true);
  }

  /** Both ways serve the walked request. @param alpha seconds that a unit of quality is worth. */
  serve(request: number, alpha: number): void {
    this.adaptive.serve(request);
    this.classRule.serve(request);
    if (request % CHOOSE_EVERY === CHOOSE_EVERY - 1) this.choose(Math.min(LARGEST_ALPHA, alpha));
  }

  /** What the walked request would have found had the adaptive levels led from the start. */
  get found(): Found {
    return this.adaptive.levels.found;
  }

  replan(roomSeconds: number): void {
    this.adaptive.levels.replan(roomSeconds);
    this.classRule.levels.replan(roomSeconds);
  }

  private choose(alpha: number): void {
    const { adaptive, classRule } = this;
    const price = PRICE_OF_EXCESS * alpha;
    const ahead = classRule.costAt(price) - adaptive.costAt(price);
    this.byClassRule = ahead <= (this.byClassRule ? LEAD : -LEAD) * classRule.seconds;
  }
}

/** Caches that hold no data, under LRU and one way to choose levels, and what they would have cost. */
class LevelShadow {
  readonly levels: RunLevels;
  /** Of TTFT, decayed. */
  seconds = 0;
  /** Units of quality lost beyond what was asked for, decayed. */
  private overdrawn = 0;
  private readonly lossAsked: number;
  private readonly scorekeeper: Scorekeeper;
  private readonly policy: Policy;

  constructor(real: PolicySetting, runs: RunTable, byClassRule: boolean) {
    const store = real.store.emptyCopy();
    const scorekeeper = real.scorekeeperOf(store);
    const setting: PolicySetting = {
      ...real,
      store,
      charge: (request, seconds) => scorekeeper.charge(request, seconds),
    };
    this.lossAsked = 1 - real.objective.meanQuality!;
    this.scorekeeper = scorekeeper;
    this.levels = new RunLevels(setting, runs, { byClassRule });
    const levelRule = { levelFor: (_: number, block: number) => this.levels.levelOf(block) };
    this.policy = lru.create({ ...setting, levelRule });
  }

  serve(request: number): void {
    const { scores } = this.scorekeeper;
    this.scorekeeper.serve(request);
    this.levels.observe(request);
    this.levels.choose(request);
    this.policy.serve(request);
    const keep = 2 ** (-1 / MEMORY_HALF_LIFE);
    this.seconds = keep * this.seconds + scores.ttftSeconds[request]!;
    this.overdrawn = keep * this.overdrawn + 1 - scores.quality[request]! - this.lossAsked;
  }

  /** Seconds, with what was lost beyond the asked quality at a price. */
  costAt(price: number): number {
    return this.seconds + price * Math.max(0, this.overdrawn);
  }
}
