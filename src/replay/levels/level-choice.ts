import type { RunTable } from '../experts/run-table.js';
import { lru } from '../policies/lru.js';
import type { Policy, PolicySetting } from '../policy.js';
import type { Scorekeeper } from '../scorekeeper.js';
import { type LevelLead, RunLevels } from './run-levels.js';

/** How often the better of the two is chosen, in requests. */
const CHOOSE_EVERY = 50;
/** Requests that have to be compared before the class rule may take the lead. */
const ENOUGH_REQUESTS = 2000;
/** The class rule takes the lead when it is this share ahead. */
const LEAD = 0.03;
/** Half-life of what is remembered of seconds and quality, in requests. */
const MEMORY_HALF_LIFE = 1000;
/** A unit of quality is worth no more seconds than this, however little of it may be lost. */
const LARGEST_ALPHA = 100;

/**
 * Whether contexts are stored by class and size or by the class rule, both for the quality that is asked for. LRU
 * with the class rule, the rival that must not be lost to, plays the whole log in shadow caches, scored as the real
 * ones are. Once it has been clearly better than what was really done, it is followed for good: contexts by both
 * ways side by side cost more than either way gains where they are close.
 */
export class LevelChoice implements LevelLead {
  byClassRule = false;
  private readonly rival: ClassRuleShadow;
  private readonly rivalCost = new Cost();
  private readonly ownCost = new Cost();

  constructor(
    private readonly setting: PolicySetting,
    runs: RunTable,
  ) {
    this.rival = new ClassRuleShadow(setting, runs);
  }

  /** The rival serves the walked request. @param alpha seconds that a unit of quality is worth. */
  serve(request: number, alpha: number): void {
    if (this.byClassRule) return;
    if (request > 0) {
      this.ownCost.add(this.setting.scorekeeper, request - 1);
      this.rivalCost.add(this.rival.scorekeeper, request - 1);
    }
    this.rival.serve(request);
    if (request >= ENOUGH_REQUESTS && request % CHOOSE_EVERY === 0)
      this.choose(Math.min(LARGEST_ALPHA, alpha));
  }

  /** Chooses the rival's rule anew. */
  replan(): void {
    if (!this.byClassRule) this.rival.replan();
  }

  private choose(alpha: number): void {
    const ahead = this.ownCost.at(alpha) - this.rivalCost.at(alpha);
    this.byClassRule = ahead > LEAD * this.rivalCost.seconds;
  }
}

/** Seconds of TTFT and units of quality lost, both decayed. */
class Cost {
  seconds = 0;
  private lost = 0;

  add({ scores }: Scorekeeper, request: number): void {
    const keep = 2 ** (-1 / MEMORY_HALF_LIFE);
    this.seconds = keep * this.seconds + scores.ttftSeconds[request]!;
    this.lost = keep * this.lost + 1 - scores.quality[request]!;
  }

  /** Both in seconds, a unit of quality at `alpha`. */
  at(alpha: number): number {
    return this.seconds + alpha * this.lost;
  }
}

/** LRU with the class rule for the quality that is asked for, in caches that hold no data. */
class ClassRuleShadow {
  readonly scorekeeper: Scorekeeper;
  private readonly levels: RunLevels;
  private readonly policy: Policy;

  constructor(real: PolicySetting, runs: RunTable) {
    const store = real.store.emptyCopy();
    this.scorekeeper = real.scorekeeperOf(store);
    const setting = { ...real, store };
    this.levels = new RunLevels(setting, runs, { byClassRule: true });
    const levelRule = { levelFor: (_: number, block: number) => this.levels.levelOf(block) };
    this.policy = lru.create({ ...setting, levelRule });
  }

  serve(request: number): void {
    this.scorekeeper.serve(request);
    this.levels.observe(request);
    this.levels.choose(request);
    this.policy.serve(request);
  }

  replan(): void {
    this.levels.replan(0);
  }
}
