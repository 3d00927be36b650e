import { EvicpressError } from '../errors.js';
import { requestsOf } from '../formats/demand.js';
import { QUALITY_STEP } from '../formats/plan.js';
import { formatSeconds } from '../units.js';
import { Assignment } from './assignment.js';
import { totalUtility } from './baseline.js';
import { qualityOf } from './choice-costs.js';
import { planMeans } from './make-plan.js';
import { searchedForQuality, searchedForTtft, WRITTEN } from './on-target.js';
import type { Problem } from './problem.js';
import { couplingRows, withinLimits } from './rows.js';
import { pricedPlan } from './solvers/dual.js';
import type { Solution, Solver } from './solvers/solver.js';

/** What the mean of a plan is to reach; alpha is then solved for. */
export interface Target {
  /** Mean quality not below this, and within `QUALITY_STEP` of it where a feasible plan exists. */
  readonly meanQuality?: number;
  /** Mean TTFT not above this, quality as high as that allows. */
  readonly maxMeanTtftSeconds?: number;
}

/** The problem at the alpha that was found, and its solution. */
interface Solved {
  readonly problem: Problem;
  readonly solution: Solution;
}

/** By what the rounding of sums may miss a target. */
const ROUNDING = 1e-12;
/** A polished plan's means differ from a quick one's: where they fall short, alphas farther on are tried. */
const RAISED = [1, 1.001, 1.01, 1.1, 1.5];
const LOWERED = [1, 0.999, 0.99, 0.9, 0.5];
/** Alphas looked at, seconds per unit of quality. */
const LEAST_ALPHA = 1e-6;
const MOST_ALPHA = 1e6;
/** Halvings of the interval of log alpha. */
const HALVINGS = 36;

/**
 * Solves for the alpha whose plan just meets a target: the multiplier of the constraint on the mean.
 * @returns the problem at that alpha and its solution.
 * @throws EvicpressError when no plan can meet the target.
 */
export async function solveForTarget(problem: Problem, target: Target, solver: Solver): Promise<Solved> {
  if (target.meanQuality !== undefined && target.maxMeanTtftSeconds !== undefined) {
    throw new EvicpressError(
      'Both a mean quality and a mean TTFT are asked for. Give one; the other then follows.',
    );
  }
  return target.meanQuality !== undefined
    ? solveForQuality(problem, target.meanQuality, solver)
    : solveForTtft(problem, target.maxMeanTtftSeconds!, solver);
}

/** The smallest alpha whose plan keeps the quality, then brought down to it. */
async function solveForQuality(problem: Problem, wanted: number, solver: Solver): Promise<Solved> {
  const reaches = ({ meanQuality }: Means) => meanQuality >= wanted - ROUNDING;
  const least = reaches(quickMeans(problem, MOST_ALPHA)) ? leastAlpha(problem, reaches) : MOST_ALPHA;
  const alphas = least === MOST_ALPHA ? [least] : [...RAISED.map((factor) => factor * least), MOST_ALPHA];
  const { problem: solved, solution } = await firstOf(problem, alphas, solver, reaches);
  const trim = trimmed(solved, solution, wanted);
  const plan = searchedForQuality(solved, trim, wanted, QUALITY_STEP) ?? trim;
  const means = planMeans(solved, plan.choices);
  if (reaches(means)) return { problem: solved, solution: plan };
  throw new EvicpressError(
    `A mean quality of ${wanted} cannot be reached: the best plan has ${means.meanQuality.toFixed(4)}. Ask for less, allow recompute, or raise a capacity.`,
  );
}

/** The largest alpha whose plan keeps the time. */
async function solveForTtft(problem: Problem, wanted: number, solver: Solver): Promise<Solved> {
  const isTooSlow = ({ meanTtftSeconds }: Means) => meanTtftSeconds > wanted * (1 + WRITTEN);
  const isInTime = (means: Means) => !isTooSlow(means);
  let alphas = [LEAST_ALPHA, 0];
  if (isInTime(quickMeans(problem, LEAST_ALPHA))) {
    const most = isTooSlow(quickMeans(problem, MOST_ALPHA)) ? leastAlpha(problem, isTooSlow) : MOST_ALPHA;
    alphas = [...LOWERED.map((factor) => factor * most), ...alphas];
  }
  const { problem: solved, solution } = await firstOf(problem, alphas, solver, isInTime);
  const searched = searchedForTtft(solved, solution, wanted);
  if (searched !== undefined) return { problem: solved, solution: searched };
  const means = planMeans(solved, solution.choices);
  if (isInTime(means)) return { problem: solved, solution };
  throw new EvicpressError(
    `A mean TTFT of ${formatSeconds(wanted)} cannot be reached: the fastest plan has ${formatSeconds(means.meanTtftSeconds)}. Allow more time, or raise a capacity.`,
  );
}

/** The solution at the first alpha whose plan does what is asked; at the last one where none does. */
async function firstOf(
  problem: Problem,
  alphas: readonly number[],
  solver: Solver,
  does: (means: Means) => boolean,
): Promise<Solved> {
  for (const alpha of alphas.slice(0, -1)) {
    const solved = { ...problem, alpha };
    const solution = await solver.solve(solved);
    if (does(planMeans(solved, solution.choices))) return { problem: solved, solution };
  }
  const solved = { ...problem, alpha: alphas.at(-1)! };
  return { problem: solved, solution: await solver.solve(solved) };
}

type Means = ReturnType<typeof planMeans>;

/** The means of a quick plan at an alpha: prices and repair, no polish. */
function quickMeans(problem: Problem, alpha: number): Means {
  const solved = { ...problem, alpha };
  return planMeans(solved, pricedPlan(solved).choices);
}

/** The smallest alpha, to the precision of the halvings, from which on plans do what is asked. */
function leastAlpha(problem: Problem, does: (means: Means) => boolean): number {
  let low = Math.log(LEAST_ALPHA);
  let high = Math.log(MOST_ALPHA);
  for (let step = 0; step < HALVINGS && high - low > 1e-7; step++) {
    const middle = (low + high) / 2;
    if (does(quickMeans(problem, Math.exp(middle)))) high = middle;
    else low = middle;
  }
  return Math.exp(high);
}

/** Gives quality beyond the target back for time: single changes that lose least, while the mean stays above. */
function trimmed(problem: Problem, solution: Solution, wanted: number): Solution {
  const { accesses, requestShare } = problem.demand;
  const weight = requestsOf(problem.demand);
  let excess = (planMeans(problem, solution.choices).meanQuality - wanted) * weight;
  if (excess <= QUALITY_STEP * weight) return solution;
  const rows = couplingRows(problem);
  const assignment = new Assignment(problem, rows, solution.choices.slice());
  const change = new Float64Array(rows.length);
  while (excess > QUALITY_STEP * weight) {
    let best = { context: -1, choice: 0, gain: Number.NEGATIVE_INFINITY, given: 0 };
    for (let i = 0; i < assignment.choices.length; i++) {
      assignment.forAlternatives(i, (choice) => {
        const given =
          accesses[i]! *
          requestShare[i]! *
          (qualityOf(problem, assignment.choices[i]!) - qualityOf(problem, choice));
        if (given <= 0 || given > excess) return;
        const gain = assignment.gain(i, choice) / given;
        if (gain <= best.gain) return;
        assignment.changeOfUse(i, choice, change);
        if (rows.every((row, r) => change[r]! <= 0 || assignment.use[r]! + change[r]! <= row.limit))
          best = { context: i, choice, gain, given };
      });
    }
    if (best.context < 0) break;
    assignment.set(best.context, best.choice);
    excess -= best.given;
  }
  if (!withinLimits(rows, assignment.use)) return solution;
  return { ...solution, choices: assignment.choices, utility: totalUtility(problem, assignment.choices) };
}
