import { requestsOf } from '../formats/demand.js';
import { totalUtility } from './baseline.js';
import { branchAndBound } from './branching/branch-and-bound.js';
import type { Answer } from './dual.js';
import { planMeans, usedByTier } from './make-plan.js';
import { KEEP_NOTHING, type Problem } from './problem.js';
import { type Relaxation, solveRelaxations } from './relaxation.js';
import { repairedCore } from './repair.js';
import { couplingRows, type Row, rowsAs } from './rows.js';
import { type PricedPlan, pricedPlan } from './solvers/dual.js';
import type { Solution } from './solvers/solver.js';

/** What the best plan gives at one set of capacities. */
export interface SizedPlan {
  /** Capacity that plans may use, by tier. */
  readonly capacities: readonly number[];
  readonly utility: number;
  /** Upper bound on the utility of any plan. */
  readonly bound: number;
  readonly meanTtftSeconds: number;
  readonly meanQuality: number;
  /** Share of the accesses, weighted by requestShare, that is served from a tier rather than recomputed. */
  readonly hitShare: number;
  readonly usedBytes: Float64Array;
  /** Price of a byte of each tier; 0 where it does not bind. */
  readonly prices: readonly number[];
  /** Times the Lagrangian was evaluated. */
  readonly evaluations: number;
}

/** Answers kept from one point of a sweep to the next: enough to surround the next optimum. */
const ANSWERS = 60;
/** From so many contexts on the points of a sweep are solved together; below, whole arrays cost little. */
const TOGETHER_FROM = 4_000;

/** Up to so many contexts, of which each weighs much, a search betters every point; it takes a tenth of a second at most. */
const POLISHED = 200;
const POLISH_WORK = 1e6;
/** A share of the utility that is mere rounding. */
const ROUNDING = 1e-13;

/** Solves one instance at many capacities: one after another, each from the prices and answers of those before, or together. */
export class Sweep {
  /** The two latest solutions with the same rows: from them the next prices are foretold. */
  private trail: { readonly capacities: readonly number[]; readonly prices: Float64Array }[] = [];
  /** What contexts answered at the latest prices: true at other capacities too. */
  private answers: readonly Answer[] = [];
  private names = '';

  constructor(private readonly problem: Problem) {}

  /** @param capacities usable bytes by tier. @throws EvicpressError when no plan keeps every limit. */
  at(capacities: readonly number[]): SizedPlan {
    const problem = withCapacities(this.problem, capacities);
    const rows = couplingRows(problem);
    const names = namesAt(rows, capacities);
    if (names !== this.names) {
      // Other rows, or other tiers that are offered: what was found before says nothing.
      this.names = names;
      this.trail = [];
      this.answers = [];
    }
    const start = this.foretold(capacities);
    const plan = pricedPlan(problem, {
      answers: this.answers,
      ...(start === undefined ? {} : { start }),
    });
    const { prices, answers, evaluations } = plan.optimum;
    this.answers = answers.slice(-ANSWERS);
    this.trail = [...this.trail.slice(-1), { capacities, prices }];
    return sizedPlan(problem, capacities, { ...polished(problem, rows, plan), prices, evaluations });
  }

  /**
   * Solves many points. Large instances without parents are solved for all of them together, where the same limits
   * bind at all.
   * @param points usable bytes by tier. @param onSolved told how many are done.
   * @returns a plan for each, in their order.
   * @throws EvicpressError when no plan keeps every limit.
   */
  along(points: readonly (readonly number[])[], onSolved: (done: number) => void = () => {}): SizedPlan[] {
    const plans = new Array<SizedPlan>(points.length);
    const order = [...points.keys()].sort((a, b) => compared(points[a]!, points[b]!));
    const rows = this.sharedRows(points);
    const found =
      rows &&
      this.together(
        order.map((k) => points[k]!),
        rows,
      );
    order.forEach((k, at) => {
      plans[k] = found?.[at] ?? this.at(points[k]!);
      onSolved(at + 1);
    });
    return plans;
  }

  /** The rows of all points; undefined where they differ, or where it pays to solve points one by one. */
  private sharedRows(points: readonly (readonly number[])[]): readonly Row[] | undefined {
    const { hasParents, demand } = this.problem;
    if (hasParents || demand.contexts < TOGETHER_FROM || points.length < 2) return undefined;
    // Limits grow with capacities: what binds at the largest and what binds at the smallest say it for all between.
    const [least, most] = [Math.min, Math.max].map((pick) => {
      const capacities = points[0]!.map((_, t) => pick(...points.map((point) => point[t]!)));
      const rows = couplingRows(withCapacities(this.problem, capacities));
      return { rows, names: namesAt(rows, capacities) };
    });
    return least!.names === most!.names && least!.rows.length > 0 ? least!.rows : undefined;
  }

  /** Solves points together; undefined where a plan could not be made of what the prices leave open. */
  private together(points: readonly (readonly number[])[], rows: readonly Row[]): (SizedPlan | undefined)[] {
    const weight = requestsOf(this.problem.demand);
    const problem = withCapacities(this.problem, points[0]!);
    const limited = points.map((point) => rowsAs(rows, withCapacities(this.problem, point)));
    return solveRelaxations(problem, limited).map((solved, k) => this.sized(solved, points[k]!, weight));
  }

  private sized(
    relaxation: Relaxation,
    capacities: readonly number[],
    weight: number,
  ): SizedPlan | undefined {
    const tally = repairedCore(relaxation, this.problem.demand.contexts);
    if (tally === undefined) return undefined;
    const { rows, optimum } = relaxation;
    return {
      capacities,
      utility: tally.utility,
      bound: optimum.bound,
      meanTtftSeconds: weight === 0 ? 0 : tally.ttftSeconds / weight,
      meanQuality: weight === 0 ? 1 : Math.min(1, tally.quality / weight),
      hitShare: weight === 0 ? 0 : tally.kept / weight,
      usedBytes: tally.usedBytes,
      prices: tierPrices(this.problem, rows, optimum.prices),
      evaluations: optimum.evaluations,
    };
  }

  /** The prices of the last point, carried on along the line through the last two in logarithms. */
  private foretold(capacities: readonly number[]): Float64Array | undefined {
    const [before, last] = this.trail.length < 2 ? [undefined, this.trail[0]] : this.trail;
    if (last === undefined) return undefined;
    const step = before === undefined ? 0 : logStep(before.capacities, last.capacities);
    const next = logStep(last.capacities, capacities);
    if (before === undefined || step === 0 || Math.abs(next) > 2 * Math.abs(step)) return last.prices;
    return last.prices.map((price, r) => {
      const earlier = before.prices[r]!;
      return price > 0 && earlier > 0 ? price * (price / earlier) ** (next / step) : price;
    });
  }
}

/** A point of a sweep, of the choices made there. */
export function sizedPlan(
  problem: Problem,
  capacities: readonly number[],
  {
    choices,
    utility,
    bound,
    prices,
    evaluations,
  }: Pick<Solution, 'choices' | 'utility' | 'bound' | 'prices' | 'evaluations'>,
): SizedPlan {
  return {
    capacities,
    utility,
    bound,
    ...planMeans(problem, choices),
    hitShare: keptShare(problem, choices),
    usedBytes: usedByTier(problem, choices),
    prices: tierPrices(problem, couplingRows(problem), prices),
    evaluations,
  };
}

/** The best plan that is found near a repaired one, of few contexts. */
function polished(
  problem: Problem,
  rows: readonly Row[],
  { choices, utility, optimum }: PricedPlan,
): Pick<Solution, 'choices' | 'utility' | 'bound'> {
  const { bound, prices } = optimum;
  if (problem.demand.contexts > POLISHED || bound <= utility) return { choices, utility, bound };
  const limits = { rounding: ROUNDING * Math.abs(bound), work: POLISH_WORK };
  const found = branchAndBound(problem, rows, prices, choices, limits);
  const best = found.choices ?? choices;
  const reached = totalUtility(problem, best);
  return { choices: best, utility: reached, bound: Math.min(bound, reached + found.gap) };
}

/** The rows by kind, tier and tenant, and the tiers that are offered. */
function namesAt(rows: readonly Row[], capacities: readonly number[]): string {
  const offered = capacities.map((bytes) => (bytes > 0 ? 1 : 0));
  return JSON.stringify([offered, rows.map(({ kind, tier, tenant }) => [kind, tier, tenant])]);
}

/** Order of points in which neighbours lie near each other. */
function compared(a: readonly number[], b: readonly number[]): number {
  const t = a.findIndex((bytes, k) => bytes !== b[k]);
  return t < 0 ? 0 : a[t]! - b[t]!;
}

/** How far one set of capacities lies from another, in logarithms summed over the tiers. */
function logStep(from: readonly number[], to: readonly number[]): number {
  return to.reduce((sum, bytes, t) => (bytes === from[t] ? sum : sum + Math.log(bytes / from[t]!)), 0);
}

/** The same instance with other capacities. A tier without room is not offered. */
export function withCapacities(problem: Problem, capacities: readonly number[]): Problem {
  const empty = capacities.reduce((mask, bytes, t) => (bytes > 0 ? mask : mask | (1 << t)), 0);
  return {
    ...problem,
    tiers: problem.tiers.map((tier, t) => ({ ...tier, capacityBytes: capacities[t]! })),
    allowed: empty === 0 ? problem.allowed : problem.allowed.map((mask) => mask & ~empty),
  };
}

function tierPrices(problem: Problem, rows: readonly Row[], prices: Float64Array): number[] {
  return problem.tiers.map((_, tier) => {
    const row = rows.findIndex((entry) => entry.kind === 'capacity' && entry.tier === tier);
    return row < 0 ? 0 : prices[row]!;
  });
}

/** Share of the accesses, weighted by requestShare, whose context is kept somewhere; 0 without accesses. */
function keptShare(problem: Problem, choices: Int32Array): number {
  const { accesses, requestShare } = problem.demand;
  let all = 0;
  let kept = 0;
  for (let i = 0; i < choices.length; i++) {
    const weight = accesses[i]! * requestShare[i]!;
    all += weight;
    if (choices[i] !== KEEP_NOTHING) kept += weight;
  }
  return all === 0 ? 0 : kept / all;
}
