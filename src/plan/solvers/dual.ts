import { Assignment } from '../assignment.js';
import { gapOfSpan, totalUtility } from '../baseline.js';
import { blendAnswers } from '../blend.js';
import { wholeLagrangian } from '../boxed.js';
import { branchAndBound } from '../branching/branch-and-bound.js';
import { solveCore } from '../branching/solve-core.js';
import { COMPARED_ROWS, type SearchResult, searchCore } from '../core.js';
import type { Answer, DualOptimum } from '../dual.js';
import { exchange } from '../exchange.js';
import { tightened } from '../fitting.js';
import { packedPlan } from '../packing.js';
import type { Problem } from '../problem.js';
import { type Relaxation, solveRelaxation } from '../relaxation.js';
import { fillRoom, relieve } from '../relieve.js';
import { better, type Candidate, repairedPlan, thinned } from '../repair.js';
import { greedyChoices } from './greedy.js';
import type { Solution, SolveOptions, Solver } from './solver.js';

/** Up to here a plan that is not near enough is polished: the core searched, the greedies tried. */
const POLISH_ALL = 20_000;
/** Up to here any gap that is left is worth a quick search of the core and a try of the greedies. */
const POLISH_FULLY = 2_000;
/** With parents a repaired plan may be poor: the answers at prices this much dearer are tried beside it. */
const DEARER = [1, 1.01, 1.03, 1.06, 1.1, 1.2, 1.4, 1.8, 2.5];
/** Rounds of exchanges. */
const EXCHANGES = 5;
/** Beyond this share of the span the instance is hard (a few giants): the greedies get a try. */
const HARD = 1e-5;

/** Width of the search of the core that goes before everything else: it proves most small instances in milliseconds. */
const NARROW = 200;
/** Width up to which a search of the core takes about a second. */
const WIDE = 2000;
/** Work of branch and bound before the rest is left to a solver of integer programs: a tenth of a second. */
const BRANCHING_WORK = 1e6;
/** Share of the span that is mere rounding. */
const ROUNDING = 1e-13;

/**
 * The default: optimal prices from the Lagrangian dual, a whole plan made of the fractional optimum, repaired and
 * filled up, then a bounded search of the core; where a large gap stays, the greedies are tried too, branch and bound,
 * and the core as an integer program.
 */
export const dual: Solver = {
  name: 'dual',
  solve: (problem, options) => solveByPrices(problem, 'dual', QUICK, options),
};

/** The same, with a proof of whatever gap stays; of one that matters beyond twenty thousand contexts. */
export const exact: Solver = {
  name: 'exact',
  solve: (problem, options) => solveByPrices(problem, 'exact', LONG, options),
};

/** How far a plan is polished; gaps are shares of the span. */
interface Effort {
  /** The gap that is near enough. */
  readonly enough: number;
  /** Gaps above which a search of seconds is worth it, and one at any number of contexts. */
  readonly provenBelow: number;
  readonly provenBelowAtAnySize: number;
  /** Options that are left open up to which they are judged as an integer program. */
  readonly options: number;
}

const QUICK: Effort = {
  enough: 1e-6,
  provenBelow: HARD,
  provenBelowAtAnySize: Number.POSITIVE_INFINITY,
  options: 5_000,
};
const LONG: Effort = { enough: 1e-12, provenBelow: 0, provenBelowAtAnySize: 1e-6, options: 40_000 };

async function solveByPrices(
  problem: Problem,
  name: string,
  { enough, provenBelow, provenBelowAtAnySize, options: mostOptions }: Effort,
  options: SolveOptions = {},
): Promise<Solution> {
  const n = problem.demand.contexts;
  const loose = solveRelaxation(problem, options.start);
  const relaxation = problem.hasParents || n > POLISH_ALL ? loose : tightened(problem, loose);
  const { optimum, rows, baseline } = relaxation;
  const blended = blendAnswers(problem, relaxation);
  let best = repairedPlan(problem, relaxation, blended.slice());
  let bound = Math.min(loose.optimum.bound, optimum.bound);
  const gap = () => (best === undefined ? 1 : gapOfSpan(bound, best.utility, baseline));
  const take = ({ choices, gap: left }: SearchResult) => {
    if (choices !== undefined) best = better(best, { choices, utility: totalUtility(problem, choices) });
    bound = Math.min(bound, best!.utility + left);
  };
  // Each width starts from the plan of the one before: a better plan makes the core smaller.
  const polish = (width: number) => {
    if (best === undefined || problem.hasParents || bound <= best.utility) return;
    take(searchCore(problem, rows, optimum.prices, blended, best.choices, width));
  };
  const rounding = ROUNDING * (bound - baseline);
  if (problem.hasParents && n <= POLISH_ALL && gap() > HARD) {
    for (const scale of DEARER) best = better(best, plannedAt(problem, relaxation, scale));
  }
  if (n <= POLISH_FULLY) polish(NARROW);
  if (best !== undefined && gap() > 0 && (!problem.hasParents || n <= POLISH_ALL))
    best = exchangedPlan(problem, relaxation, blended, best, enough * (bound - baseline));
  if (n <= POLISH_ALL) {
    if (n <= POLISH_FULLY || gap() > enough) polish(NARROW);
    if (n <= POLISH_FULLY ? gap() > 0 : gap() > HARD) {
      for (const score of ['drop', 'drop-per-byte'] as const)
        best = better(best, greedyPlan(problem, relaxation, score));
    }
  }
  best ??= packedPlan(problem, relaxation, blended);
  const isOpen = () => gap() > Math.max(enough, n <= POLISH_ALL ? provenBelow : provenBelowAtAnySize);
  if (n <= POLISH_ALL) {
    // States of the core are compared with each other where there are one or two rows; then they go first.
    const isCompared = rows.length <= COMPARED_ROWS;
    if (isCompared && isOpen()) polish(WIDE);
    if (isOpen()) {
      const limits = { rounding, work: BRANCHING_WORK };
      take(branchAndBound(problem, rows, optimum.prices, best.choices, limits));
    }
  }
  // Of a large tree every option would have to be looked at; without parents few are near enough.
  if (isOpen() && (!problem.hasParents || n <= POLISH_ALL)) {
    const limits = { rounding, options: mostOptions };
    take(await solveCore(problem, rows, optimum.prices, best.choices, limits));
  }
  return {
    solver: name,
    ...best,
    baseline,
    bound,
    relaxationBound: loose.optimum.bound,
    prices: loose.optimum.prices,
    evaluations: loose.optimum.evaluations,
  };
}

/** A plan that is repaired and filled but not polished, and the optimum it was made from. */
export interface PricedPlan extends Candidate {
  readonly optimum: DualOptimum;
}

/**
 * The choices at optimal prices, repaired and filled but not polished: near enough for a search over alphas or
 * capacities.
 * @param options prices and answers to begin from.
 * @throws EvicpressError when no plan keeps every limit.
 */
export function pricedPlan(
  problem: Problem,
  { start, answers }: SolveOptions & { readonly answers?: readonly Answer[] } = {},
): PricedPlan {
  const relaxation = solveRelaxation(problem, start, answers);
  const blended = blendAnswers(problem, relaxation);
  const plan =
    repairedPlan(problem, relaxation, blended) ??
    greedyPlan(problem, relaxation, 'drop-per-byte') ??
    packedPlan(problem, relaxation, blended);
  return { ...plan, optimum: relaxation.optimum };
}

/** Betters the best plan by exchanges, from the blended optimum and then from what that gave. */
function exchangedPlan(
  problem: Problem,
  { rows, optimum, split }: Relaxation,
  blended: Int32Array,
  best: Candidate,
  tolerance: number,
): Candidate {
  const candidates = split === undefined ? undefined : thinned(split.open);
  let plan = best;
  let from = blended;
  for (let round = 0; round < EXCHANGES && optimum.bound - plan.utility > tolerance; round++) {
    const assignment = new Assignment(problem, rows, from.slice());
    const room = rows.reduce((sum, row, r) => sum + optimum.prices[r]! * (row.limit - assignment.use[r]!), 0);
    const gap = optimum.bound - plan.utility;
    const left = exchange(
      assignment,
      optimum.prices,
      optimum.bound - totalUtility(problem, assignment.choices) - room,
      gap,
      candidates,
    );
    if (left < gap)
      plan = { choices: assignment.choices, utility: totalUtility(problem, assignment.choices) };
    else if (round > 0) break;
    from = plan.choices;
  }
  return plan;
}

/** The answer at dearer prices, made to fit and filled: with parents, often better than a repaired mix. */
function plannedAt(
  problem: Problem,
  { rows, lagrangian, optimum }: Relaxation,
  scale: number,
): Candidate | undefined {
  const choices = new Int32Array(problem.demand.contexts);
  const prices = optimum.prices.map((price) => price * scale);
  lagrangian.choose(prices, new Float64Array(rows.length), choices);
  const assignment = new Assignment(problem, rows, choices);
  if (!relieve(assignment, { score: 'priced', prices: optimum.prices })) return undefined;
  fillRoom(assignment, optimum.prices);
  return { choices: assignment.choices, utility: totalUtility(problem, assignment.choices) };
}

function greedyPlan(
  problem: Problem,
  { rows, optimum }: Relaxation,
  score: 'drop' | 'drop-per-byte',
): Candidate | undefined {
  const choices = greedyChoices(problem, rows, wholeLagrangian(problem, rows), score);
  if (choices === undefined) return undefined;
  const assignment = new Assignment(problem, rows, choices);
  fillRoom(assignment, optimum.prices);
  return { choices: assignment.choices, utility: totalUtility(problem, assignment.choices) };
}
