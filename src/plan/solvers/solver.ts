import { baselineUtility, totalUtility } from '../baseline.js';
import type { DualOptimum } from '../dual.js';
import type { Problem } from '../problem.js';

/** A way to solve the planning problem. */
export interface Solver {
  readonly name: string;
  /**
   * @returns a plan that keeps every limit, with what is proved about it.
   * @throws EvicpressError when no plan keeps every limit.
   */
  readonly solve: (problem: Problem, options?: SolveOptions) => Promise<Solution>;
}

/** Limits of one solve and what it may start from. */
export interface SolveOptions {
  /** Prices to begin from, by row: those of the plan in force. */
  readonly start?: Float64Array;
}

/** A choice for every context, with the prices and the bound that judge it. */
export interface Solution {
  readonly solver: string;
  /** A choice per context: KEEP_NOTHING, or tier · forms + form. */
  readonly choices: Int32Array;
  readonly utility: number;
  /** Zero of the span: every context at the better of recompute and the slowest tier whole. */
  readonly baseline: number;
  /** The best upper bound proved. */
  readonly bound: number;
  /** The optimum of the linear relaxation, from above. */
  readonly relaxationBound: number;
  /** Utility per unit, by coupling row. */
  readonly prices: Float64Array;
  /** Times the Lagrangian was evaluated. */
  readonly evaluations: number;
}

/** Choices that come without a bound of their own: the relaxation's stands beside them. */
export function solutionOf(
  problem: Problem,
  solver: string,
  choices: Int32Array,
  optimum: DualOptimum,
): Solution {
  return {
    solver,
    choices,
    utility: totalUtility(problem, choices),
    baseline: baselineUtility(problem),
    bound: optimum.bound,
    relaxationBound: optimum.bound,
    prices: optimum.prices,
    evaluations: optimum.evaluations,
  };
}
