import { Assignment } from './assignment.js';
import { totalUtility } from './baseline.js';
import { branchAndBound } from './branching/branch-and-bound.js';
import { utilityOf } from './choice-costs.js';
import { InfeasibleError } from './infeasible.js';
import { PricedOptions } from './priced-options.js';
import type { Problem } from './problem.js';
import type { Relaxation } from './relaxation.js';
import { fillRoom } from './relieve.js';
import type { Candidate } from './repair.js';
import { KEPT, type Row } from './rows.js';

/** Beyond so many contexts a search that is to look at all choices together hardly ever ends. */
export const MOST_SEARCHED = 2_000;
/** Some tenths of a second. */
const WORK = 2e6;
/** A share of what choices can differ by that does not matter. */
const ROUNDING = 1e-9;

/**
 * Looks for a plan that keeps every limit where repair found none: when what must be kept just fits, or when a whole
 * path of a tree has to change its form at once. What room it leaves is filled.
 * @param start choices that overstep limits.
 * @throws InfeasibleError, proved where all choices were judged.
 */
export function packedPlan(problem: Problem, { rows, optimum }: Relaxation, start: Int32Array): Candidate {
  const assignment = new Assignment(problem, rows, packedChoices(problem, rows, start));
  fillRoom(assignment, optimum.prices);
  return { choices: assignment.choices, utility: totalUtility(problem, assignment.choices) };
}

/**
 * Choices that keep every limit: branch and bound, whatever quality is worth, ends at the first ones.
 * @param start choices that overstep limits.
 * @throws InfeasibleError, proved where all choices were judged.
 */
export function packedChoices(problem: Problem, rows: readonly Row[], start: Int32Array): Int32Array {
  if (problem.demand.contexts > MOST_SEARCHED) throw new InfeasibleError({ isProved: false });
  const plain = { ...problem, alpha: 0 };
  const { least, range } = spreadOf(plain, rows);
  const { choices, gap } = branchAndBound(
    plain,
    rows.map((row) => ({ ...row, limit: row.limit * KEPT })),
    new Float64Array(rows.length),
    start,
    { rounding: ROUNDING * range, work: WORK, below: least - range - totalUtility(plain, start) },
  );
  if (choices === undefined) throw new InfeasibleError({ isProved: gap <= ROUNDING * range });
  return choices;
}

/** The least that any choices are worth, and by how much choices differ at most. */
function spreadOf(problem: Problem, rows: readonly Row[]): { least: number; range: number } {
  const options = new PricedOptions(problem, rows);
  let least = 0;
  let range = 0;
  for (let i = 0; i < problem.demand.contexts; i++) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    options.forEach(i, (choice) => {
      const utility = utilityOf(problem, i, choice);
      low = Math.min(low, utility);
      high = Math.max(high, utility);
    });
    // Without an option that fits anywhere nothing is possible, which the search finds out.
    if (low > high) continue;
    least += low;
    range += high - low;
  }
  return { least, range: range === 0 ? 1 : range };
}
