import { spanOf, totalUtility } from './baseline.js';
import { type Answer, type DualOptimum, minimizeBound } from './dual.js';
import { IndependentLagrangian } from './independent.js';
import { InfeasibleError } from './infeasible.js';
import type { Lagrangian } from './lagrangian.js';
import { type Problem, utilityOf } from './problem.js';
import { addUse, couplingRows, type Row, totalUse } from './rows.js';
import { pickContexts, sampleOf } from './sample.js';
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
  /** A utility below that of all choices at any prices. */
  readonly floor: number;
}

/** How near the bound and the mix must come, as a share of the span; for prices found on a sample less will do. */
export const TOLERANCE = 1e-10;
const SAMPLE_TOLERANCE = 1e-8;
/** From here on prices are first found on a sample. */
const SAMPLE_FROM = 40_000;
/** Size of the smallest sample, and what share of the contexts a sample is at most. */
const SAMPLE = 10_000;
const SAMPLE_SHARE = 10;
/** Half the width of the box of prices around a sample's optimum, as a share of them: some standard errors. */
const boxWidth = (sample: number) => 4 / Math.sqrt(sample);
/** The box is widened this much when the optimum lies at its edge, and given up at this width. */
const WIDENED = 4;
const WIDEST = 0.6;

/**
 * Minimises the dual bound. Large problems without parents are solved on a sample first, and that on a smaller one;
 * a sample's prices give a box in which most contexts have one best choice, so that only the undecided few are
 * evaluated again. If the optimum lies at the box's edge, the box is widened.
 * @param start prices to begin from. @param answers of the same contexts, at these or other limits.
 * @throws EvicpressError when the relaxation has no solution, so that no plan has.
 */
export function solveRelaxation(
  problem: Problem,
  start?: Float64Array,
  answers: readonly Answer[] = [],
): Relaxation {
  const relaxation = minimized(problem, couplingRows(problem), TOLERANCE, start, answers);
  if (relaxation.optimum.infeasible) throw new InfeasibleError();
  return relaxation;
}

function minimized(
  problem: Problem,
  rows: readonly Row[],
  tolerance: number,
  start: Float64Array | undefined,
  answers: readonly Answer[],
): Relaxation {
  const { baseline, least, most } = spanOf(problem);
  const floor = least - Math.max(1e-9, most - least);
  const common = { answers, tolerance, baseline, floor };
  const whole = problem.hasParents
    ? new TreeLagrangian(problem, rows)
    : new IndependentLagrangian(problem, rows);
  const n = problem.demand.contexts;
  if (whole instanceof TreeLagrangian || n < SAMPLE_FROM || rows.length === 0)
    return {
      rows,
      lagrangian: whole,
      optimum: minimizeBound(whole, { ...common, ...(start && { start }) }),
      baseline,
      floor,
    };
  const size = Math.max(SAMPLE, Math.floor(n / SAMPLE_SHARE));
  const ofSample = rows.map((row) => ({ ...row, limit: (row.limit * size) / n }));
  const sample = pickContexts(problem, sampleOf(n, size));
  let { prices } = minimized(sample, ofSample, SAMPLE_TOLERANCE, start, []).optimum;
  for (let width = boxWidth(size); width < WIDEST; width *= WIDENED) {
    const low = prices.map((price) => price * (1 - width));
    const high = prices.map((price) => Math.max(price * (1 + width), Number.MIN_VALUE));
    const near = whole.restrict(low, high);
    const optimum = minimizeBound(near, { ...common, start: prices, low, high });
    if (!optimum.atEdge && optimum.bound - optimum.mixed <= 1e3 * tolerance * (optimum.bound - baseline))
      return { rows, lagrangian: near, optimum, split: near.split!, baseline, floor };
    prices = optimum.prices;
  }
  const optimum = minimizeBound(whole, { ...common, start: prices });
  return { rows, lagrangian: whole, optimum, baseline, floor };
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
