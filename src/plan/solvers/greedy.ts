import { Assignment } from '../assignment.js';
import { InfeasibleError } from '../infeasible.js';
import type { Lagrangian } from '../lagrangian.js';
import type { Problem } from '../problem.js';
import { solveRelaxation } from '../relaxation.js';
import { type Relief, relieve } from '../relieve.js';
import type { Row } from '../rows.js';
import { type Solution, type Solver, solutionOf } from './solver.js';

/**
 * The paper's greedy (arXiv 2512.14946 §3): every context starts at its best option; while a tier is over its
 * capacity, the context with the smallest drop of utility is compressed further in place or moved to a lower
 * tier; then the next tier.
 */
export const greedy: Solver = {
  name: 'greedy',
  solve: async (problem) => solveGreedily(problem, 'greedy', 'drop'),
};

/** The same, choosing by the drop of utility per byte that it frees. */
export const greedyPerByte: Solver = {
  name: 'greedy-per-byte',
  solve: async (problem) => solveGreedily(problem, 'greedy-per-byte', 'drop-per-byte'),
};

function solveGreedily(problem: Problem, name: string, score: Relief): Solution {
  const { rows, lagrangian, optimum } = solveRelaxation(problem);
  const choices = greedyChoices(problem, rows, lagrangian, score);
  if (choices === undefined) throw new InfeasibleError({ isProved: false });
  return solutionOf(problem, name, choices, optimum);
}

/** The greedy's choices; undefined where it ends without keeping the limits. */
export function greedyChoices(
  problem: Problem,
  rows: readonly Row[],
  lagrangian: Lagrangian,
  score: Relief,
): Int32Array | undefined {
  const choices = new Int32Array(problem.demand.contexts);
  const free = new Float64Array(rows.length);
  lagrangian.choose(free, new Float64Array(rows.length), choices);
  const assignment = new Assignment(problem, rows, choices);
  return relieve(assignment, { score, downward: true }) ? assignment.choices : undefined;
}
