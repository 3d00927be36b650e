import type { EvicpressError } from '../errors.js';
import type { Answer } from './dual.js';
import { planMeans, usedByTier } from './make-plan.js';
import { KEEP_NOTHING, type Problem, storedBytesOf, ttftOf } from './problem.js';
import { couplingRows, type Row } from './rows.js';
import { pricedPlan } from './solvers/dual.js';

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

/** Solves one instance at one capacity after another, each from the prices and answers of those before. */
export class Sweep {
  /** The two latest solutions with the same rows: from them the next prices are foretold. */
  private trail: { readonly capacities: readonly number[]; readonly prices: Float64Array }[] = [];
  /** What contexts answered at the latest prices: true at other capacities too. */
  private answers: readonly Answer[] = [];
  private rowNames = '';

  constructor(private readonly problem: Problem) {}

  /** @param capacities usable bytes by tier. @throws EvicpressError when no plan keeps every limit. */
  at(capacities: readonly number[]): SizedPlan {
    const problem = withCapacities(this.problem, capacities);
    const rows = couplingRows(problem);
    this.forgetUnless(rows, capacities);
    const start = this.foretold(capacities);
    const { choices, utility, optimum } = pricedPlan(problem, {
      answers: this.answers,
      ...(start === undefined ? {} : { start }),
    });
    const { prices, bound, evaluations } = optimum;
    this.answers = optimum.answers.slice(-ANSWERS);
    this.trail = [...this.trail.slice(-1), { capacities, prices }];
    return {
      capacities,
      utility,
      bound,
      ...planMeans(problem, choices),
      hitShare: keptShare(problem, choices),
      usedBytes: usedByTier(problem, choices),
      prices: problem.tiers.map((_, t) => priceOf(rows, prices, t)),
      evaluations,
    };
  }

  /** Other rows, or other tiers that are offered: what was found before says nothing. */
  private forgetUnless(rows: readonly Row[], capacities: readonly number[]): void {
    const offered = capacities.map((bytes) => (bytes > 0 ? 1 : 0));
    const names = JSON.stringify([offered, rows.map(({ kind, tier, tenant }) => [kind, tier, tenant])]);
    if (names === this.rowNames) return;
    this.rowNames = names;
    this.trail = [];
    this.answers = [];
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

function priceOf(rows: readonly Row[], prices: Float64Array, tier: number): number {
  const row = rows.findIndex((entry) => entry.kind === 'capacity' && entry.tier === tier);
  return row < 0 ? 0 : prices[row]!;
}

/** Share of the accesses, weighted by requestShare, whose context is kept somewhere; 0 without accesses. */
export function keptShare(problem: Problem, choices: Int32Array): number {
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

/**
 * The knee of a curve of utility over cost (bytes or money): the point farthest above the straight line from
 * the cheapest to the dearest point. Up to it a unit of cost gains more than on the sweep's average, past it less
 * (Satopaa et al., Finding a "Kneedle" in a Haystack, 2011, on linear axes).
 * @returns its index; undefined where no point lies above the line.
 */
export function kneeOf(
  points: readonly { readonly cost: number; readonly utility: number }[],
): number | undefined {
  const order = points.map((_, k) => k).sort((a, b) => points[a]!.cost - points[b]!.cost);
  if (order.length < 3) return undefined;
  const first = points[order[0]!]!;
  const last = points[order.at(-1)!]!;
  const width = last.cost - first.cost;
  const height = Math.max(...points.map((point) => point.utility)) - first.utility;
  if (!(width > 0) || !(height > 0)) return undefined;
  let best: number | undefined;
  let above = 1e-9;
  for (const k of order) {
    const { cost, utility } = points[k]!;
    const here = (utility - first.utility) / height - (cost - first.cost) / width;
    if (here > above) {
      above = here;
      best = k;
    }
  }
  return best;
}

/**
 * The least size between `low` and `high` at which a condition holds, by bisection of its logarithm to within
 * `precision`. The condition is taken to hold from some size on.
 * @throws EvicpressError where it does not hold at `high`.
 */
export function leastSize<T>(
  low: number,
  high: number,
  solve: (bytes: number) => T,
  holds: (found: T) => boolean,
  refuse: (most: T) => EvicpressError,
  precision = 0.005,
): { bytes: number; found: T } {
  let best = { bytes: high, found: solve(high) };
  if (!holds(best.found)) throw refuse(best.found);
  const least = { bytes: low, found: solve(low) };
  if (holds(least.found)) return least;
  for (let below = low; best.bytes / below > 1 + precision; ) {
    const bytes = Math.sqrt(below * best.bytes);
    const found = solve(bytes);
    if (holds(found)) best = { bytes, found };
    else below = bytes;
  }
  return best;
}

/** Sizes from low to high at equal ratios, ends included. */
export function logSpaced(low: number, high: number, points: number): number[] {
  if (points === 1 || low === high) return [high];
  return Array.from({ length: points }, (_, k) =>
    k === points - 1 ? high : Math.round(low * (high / low) ** (k / (points - 1))),
  );
}

/**
 * The choices of a fixed rule, for comparison: every context in one form (whole, or one method and ratio where
 * it is offered), the most accessed in the fastest tier that has room, as LRU tends to; what finds no room, or
 * is quicker computed than loaded, is recomputed. A context whose parent is not kept is not kept.
 * @param lossy index into `forms.lossyNames`; −1 for whole.
 */
export function fixedRule(problem: Problem, lossy: number): Int32Array {
  const { demand, forms, tiers, curveOf, allowed, recomputeSeconds } = problem;
  const count = forms.storedBytes.length;
  const room = tiers.map((tier) => tier.capacityBytes);
  const choices = new Int32Array(demand.contexts).fill(KEEP_NOTHING);
  // Parents come first in the rows, and have at least their children's accesses: ties keep that order.
  const order = Array.from(choices, (_, i) => i).sort(
    (a, b) => demand.accesses[b]! - demand.accesses[a]! || a - b,
  );
  for (const i of order) {
    const parent = demand.parents[i]!;
    if (parent >= 0 && choices[parent] === KEEP_NOTHING) continue;
    const first = forms.offsets[curveOf[i]!]!;
    let form = first;
    for (let f = first; f < forms.offsets[curveOf[i]! + 1]!; f++) if (forms.lossyOf[f] === lossy) form = f;
    const bytes = storedBytesOf(problem, i, form);
    const tier = tiers.findIndex((_, t) => (allowed[i]! & (1 << t)) !== 0 && room[t]! >= bytes);
    if (tier < 0) continue;
    const choice = tier * count + form;
    if (!problem.hasParents && ttftOf(problem, i, choice) > recomputeSeconds[i]!) continue;
    choices[i] = choice;
    room[tier]! -= bytes;
  }
  return choices;
}
