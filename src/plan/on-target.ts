import { requestsOf } from '../formats/demand.js';
import { totalUtility } from './baseline.js';
import { branchAndBound } from './branching/branch-and-bound.js';
import { InfeasibleError } from './infeasible.js';
import { MOST_SEARCHED, packedChoices } from './packing.js';
import type { Problem } from './problem.js';
import { ALL_TIERS, couplingRows, type Row, totalUse, withinLimits } from './rows.js';
import type { Solution } from './solvers/solver.js';

/** Rounding of a mean: the share of a target by which sums may miss it. */
const ROUNDING = 1e-12;
/** A time that is written down is meant to so many digits, as a share of it. */
export const WRITTEN = 1e-9;
/** Some tenths of a second. */
const WORK = 2e6;
/** Seconds that quality is worth where time only has to stay within its limit. */
const QUALITY_FIRST = 1e6;

/**
 * Few contexts: a plan whose mean quality is not below a target and at most a step above, where there is one, else not
 * below; the soonest to answer. Found by branch and bound with the means as limits beside the problem's own.
 * @param solution the best known so far, on target or not.
 * @returns undefined where none was found.
 */
export function searchedForQuality(
  problem: Problem,
  solution: Solution,
  wanted: number,
  step: number,
): Solution | undefined {
  const weight = requestsOf(problem.demand);
  if (weight === 0 || problem.demand.contexts > MOST_SEARCHED) return undefined;
  const notBelow: Row = { kind: 'loss', tier: ALL_TIERS, limit: (1 - wanted + ROUNDING) * weight };
  const notAbove: Row = { kind: 'quality', tier: ALL_TIERS, limit: (wanted + step) * weight };
  const soonest = { ...problem, alpha: 0 };
  return (
    searched(problem, soonest, [notBelow, notAbove], solution) ??
    searched(problem, soonest, [notBelow], solution)
  );
}

/** Few contexts: the plan of the highest quality whose mean TTFT is not above a target; undefined where none was found. */
export function searchedForTtft(problem: Problem, solution: Solution, wanted: number): Solution | undefined {
  const weight = requestsOf(problem.demand);
  if (weight === 0 || problem.demand.contexts > MOST_SEARCHED) return undefined;
  const inTime: Row = { kind: 'ttft', tier: ALL_TIERS, limit: wanted * (1 + WRITTEN) * weight };
  return searched(problem, { ...problem, alpha: QUALITY_FIRST }, [inTime], solution);
}

/** The best plan for an objective, within the problem's limits and those of means. */
function searched(
  problem: Problem,
  objective: Problem,
  means: readonly Row[],
  solution: Solution,
): Solution | undefined {
  const own = couplingRows(problem);
  const rows = [...own, ...means];
  const start = feasible(objective, rows, solution.choices);
  if (start === undefined) return undefined;
  const prices = new Float64Array(rows.length);
  prices.set(solution.prices);
  const utility = totalUtility(objective, start);
  const rounding = ROUNDING * Math.abs(utility);
  const { choices = start } = branchAndBound(objective, rows, prices, start, { rounding, work: WORK });
  return { ...solution, choices, utility: totalUtility(problem, choices) };
}

function feasible(problem: Problem, rows: readonly Row[], choices: Int32Array): Int32Array | undefined {
  if (withinLimits(rows, totalUse(problem, rows, choices))) return choices;
  try {
    return packedChoices(problem, rows, choices);
  } catch (error) {
    if (error instanceof InfeasibleError) return undefined;
    throw error;
  }
}
