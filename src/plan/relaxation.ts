import { spanOf, totalUtility } from './baseline.js';
import { type Answer, type DualOptimum, minimizeBound } from './dual.js';
import { IndependentLagrangian } from './independent.js';
import { InfeasibleError } from './infeasible.js';
import type { Lagrangian } from './lagrangian.js';
import { type Problem, utilityOf } from './problem.js';
import { addUse, couplingRows, type Row, totalUse } from './rows.js';
import { sampleProblem } from './sample.js';
import type { Split } from './scan.js';
import { TreeLagrangian } from './tree.js';

/** The relaxation solved: its rows, the Lagrangian near the optimum and the optimum itself. */
export interface Relaxation {
  readonly rows: readonly Row[];
  readonly lagrangian: Lagrangian;
  readonly optimum: DualOptimum;
  /** Whose choice the prices alone settle, and who is open; absent: anybody may be. */
  readonly split?: Split;
  /** The zero of the span. */
  readonly baseline: number;
}

/** How near the bound and the mix must come, as a share of the span. */
const TOLERANCE = 1e-10;
/** From here on prices are first found on samples. */
const SAMPLE_FROM = 40_000;
/** Size of the sample. */
const SAMPLE = 10_000;
/** Half the width of the box of prices around the sample's optimum, as a share of them: some standard errors. */
const BOX_WIDTH = 4 / Math.sqrt(SAMPLE);
/** The box is widened this much when the optimum lies at its edge. */
const WIDENED = 4;

/**
 * Minimises the dual bound. Large problems without parents are solved on a growing sample first; the sample's
 * prices give a box in which most contexts have one best choice, so that only the undecided few are evaluated
 * again. If the optimum lies at the box's edge, the box is widened.
 * @throws EvicpressError when the relaxation has no solution, so that no plan has.
 */
export function solveRelaxation(
  problem: Problem,
  start?: Float64Array,
  answers: readonly Answer[] = [],
): Relaxation {
  const rows = couplingRows(problem);
  const { baseline, least, most } = spanOf(problem);
  const common = { answers, tolerance: TOLERANCE, baseline, floor: least - Math.max(1e-9, most - least) };
  const solved = (lagrangian: Lagrangian, optimum: DualOptimum) => ({
    rows,
    lagrangian,
    optimum: feasible(optimum),
    baseline,
  });
  if (problem.hasParents || problem.demand.contexts < SAMPLE_FROM || rows.length === 0) {
    const lagrangian = problem.hasParents
      ? new TreeLagrangian(problem, rows)
      : new IndependentLagrangian(problem, rows);
    return solved(lagrangian, minimizeBound(lagrangian, { ...common, ...(start && { start }) }));
  }
  const whole = new IndependentLagrangian(problem, rows);
  let { prices } = solveRelaxation(sampleProblem(problem, SAMPLE), start).optimum;
  for (let width = BOX_WIDTH; width < 0.6; width *= WIDENED) {
    const low = prices.map((price) => price * (1 - width));
    const high = prices.map((price) => Math.max(price * (1 + width), Number.MIN_VALUE));
    const near = whole.restrict(low, high);
    const optimum = minimizeBound(near, { ...common, start: prices, low, high });
    if (!optimum.atEdge && optimum.bound - optimum.mixed <= 1e3 * TOLERANCE * (optimum.bound - baseline))
      return { ...solved(near, optimum), split: near.split! };
    prices = optimum.prices;
  }
  return solved(whole, minimizeBound(whole, { ...common, start: prices }));
}

/** What choices reach and use: where most are settled, only the open ones are summed up. */
export function sumsOf(
  problem: Problem,
  { rows, split }: Relaxation,
  choices: Int32Array,
): { utility: number; use: Float64Array } {
  if (split === undefined)
    return { utility: totalUtility(problem, choices), use: totalUse(problem, rows, choices) };
  const use = split.exact.use.slice();
  let open = 0;
  for (const i of split.open) {
    open += utilityOf(problem, i, choices[i]!);
    addUse(problem, rows, i, choices[i]!, use);
  }
  return { utility: split.exact.utility + open, use };
}

function feasible(optimum: DualOptimum): DualOptimum {
  if (!optimum.infeasible) return optimum;
  throw new InfeasibleError();
}
