import { Assignment } from '../assignment.js';
import { baselineUtility, gapOfSpan, totalUtility } from '../baseline.js';
import { blendAnswers } from '../blend.js';
import { searchCore } from '../core.js';
import { IndependentLagrangian } from '../independent.js';
import { infeasiblePlan } from '../infeasible.js';
import type { Problem } from '../problem.js';
import { type Relaxation, solveRelaxation } from '../relaxation.js';
import { fillRoom, relieve } from '../relieve.js';
import { TreeLagrangian } from '../tree.js';
import { greedyChoices } from './greedy.js';
import type { Solution, SolveOptions, Solver } from './solver.js';

/** Up to here repair looks at every context; beyond, at those the prices leave undecided. */
const REPAIR_ALL = 50_000;
/** Up to here a plan that is not near enough is polished: the core searched, the greedies tried. */
const POLISH_ALL = 20_000;
/** A plan this near the bound, as a share of the span, needs no polish. */
const NEAR_ENOUGH = 1e-9;
/** Beyond this share of the span the instance is hard (a few giants): the greedies get a try. */
const HARD = 1e-5;

/**
 * The default: optimal prices from the Lagrangian dual, a whole plan made of the fractional optimum, repaired and
 * filled up, then a bounded search of the core; where a gap stays, the greedies are tried too.
 */
export const dual: Solver = {
  name: 'dual',
  solve: (problem, options) => solveByPrices(problem, 'dual', 400, options),
};

/** The same with a far wider search: proves optimality where that can be done in seconds. */
export const exact: Solver = {
  name: 'exact',
  solve: (problem, options) => solveByPrices(problem, 'exact', 60_000, options),
};

function solveByPrices(problem: Problem, name: string, width: number, options: SolveOptions = {}): Solution {
  const relaxation = solveRelaxation(problem, options.start);
  const { optimum, rows, lagrangian } = relaxation;
  const baseline = baselineUtility(problem);
  const blended = blendAnswers(problem, rows, lagrangian, optimum.active);
  let best = repairedPlan(problem, relaxation, blended.slice());
  let { bound } = optimum;
  const gap = () => (best === undefined ? 1 : gapOfSpan(bound, best.utility, baseline));
  const polish = () => {
    if (best === undefined || problem.hasParents) return;
    const found = searchCore(problem, rows, optimum.prices, blended, best.utility, width);
    if (found.choices !== undefined)
      best = better(best, { choices: found.choices, utility: totalUtility(problem, found.choices) });
    bound = Math.min(bound, Math.max(found.bound, best!.utility));
  };
  if (problem.demand.contexts <= POLISH_ALL) {
    if (gap() > NEAR_ENOUGH) polish();
    if (gap() > HARD) {
      for (const score of ['drop', 'drop-per-byte'] as const)
        best = better(best, greedyPlan(problem, relaxation, score));
      polish();
    }
  }
  if (best === undefined) throw infeasiblePlan(problem);
  return {
    solver: name,
    ...best,
    bound,
    relaxationBound: optimum.bound,
    prices: optimum.prices,
    evaluations: optimum.evaluations,
  };
}

interface Candidate {
  readonly choices: Int32Array;
  readonly utility: number;
}

function better(a: Candidate | undefined, b: Candidate | undefined): Candidate | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.utility > a.utility ? b : a;
}

function repairedPlan(
  problem: Problem,
  { rows, optimum, open }: Relaxation,
  choices: Int32Array,
): Candidate | undefined {
  const assignment = new Assignment(problem, rows, choices);
  const n = problem.demand.contexts;
  const candidates = n <= REPAIR_ALL || open === undefined ? undefined : open;
  const wanted = { score: 'priced', prices: optimum.prices } as const;
  const fits =
    (candidates !== undefined && relieve(assignment, { ...wanted, candidates })) ||
    relieve(assignment, wanted);
  if (!fits) return undefined;
  fillRoom(assignment, optimum.prices, candidates);
  return { choices: assignment.choices, utility: totalUtility(problem, assignment.choices) };
}

function greedyPlan(
  problem: Problem,
  { rows, optimum }: Relaxation,
  score: 'drop' | 'drop-per-byte',
): Candidate | undefined {
  const lagrangian = problem.hasParents
    ? new TreeLagrangian(problem, rows)
    : new IndependentLagrangian(problem, rows);
  const choices = greedyChoices(problem, rows, lagrangian, score);
  if (choices === undefined) return undefined;
  const assignment = new Assignment(problem, rows, choices);
  fillRoom(assignment, optimum.prices);
  return { choices: assignment.choices, utility: totalUtility(problem, assignment.choices) };
}
