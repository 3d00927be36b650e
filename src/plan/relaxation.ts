import { EvicpressError } from '../errors.js';
import { type DualOptimum, minimizeBound } from './dual.js';
import { IndependentLagrangian } from './independent.js';
import type { Lagrangian } from './lagrangian.js';
import { KEEP_NOTHING, type Problem, ttftOf, utilityOf } from './problem.js';
import { couplingRows, type Row } from './rows.js';
import { sampleProblem } from './sample.js';
import { TreeLagrangian } from './tree.js';

/** The relaxation solved: its rows, the Lagrangian near the optimum and the optimum itself. */
export interface Relaxation {
  readonly rows: readonly Row[];
  readonly lagrangian: Lagrangian;
  readonly optimum: DualOptimum;
  /** Contexts that are not decided by the prices alone; undefined: any may be. */
  readonly open?: Int32Array;
}

/** How near the bound and the mix must come, as a share of the span. */
const TOLERANCE = 1e-10;
/** From here on prices are first found on samples. */
const SAMPLE_FROM = 40_000;
/** Half the width of the box of prices around a sample's optimum, by sample size. */
const BOX_WIDTH = 0.08;

/**
 * Minimises the dual bound. Large problems without parents are solved on a growing sample first; the sample's
 * prices give a box in which most contexts have one best choice, so that only the undecided few are evaluated
 * again. If the optimum lies at the box's edge, the box is widened.
 * @throws EvicpressError when the relaxation has no solution, so that no plan has.
 */
export function solveRelaxation(problem: Problem, start?: Float64Array): Relaxation {
  const rows = couplingRows(problem);
  const span = roughSpan(problem);
  const tolerance = TOLERANCE * span;
  const floor = leastUtility(problem) - Math.max(1, span);
  const n = problem.demand.contexts;
  if (problem.hasParents || n < SAMPLE_FROM || rows.length === 0 || rows.length > 4) {
    const lagrangian = problem.hasParents
      ? new TreeLagrangian(problem, rows)
      : new IndependentLagrangian(problem, rows);
    const optimum = minimizeBound(lagrangian, {
      tolerance,
      floor,
      ...(start === undefined ? {} : { start }),
    });
    return { rows, lagrangian, optimum: feasible(optimum) };
  }
  const whole = new IndependentLagrangian(problem, rows);
  let prices = start ?? samplePrices(problem);
  for (let width = start === undefined ? BOX_WIDTH : BOX_WIDTH / 2; width < 0.6; width *= 3) {
    const low = prices.map((price) => price * (1 - width));
    const high = prices.map((price) => Math.max(price * (1 + width), Number.MIN_VALUE));
    const near = whole.restrict(low, high);
    const optimum = minimizeBound(near, { tolerance, floor, start: prices, low, high });
    if (!optimum.atEdge && optimum.bound - optimum.mixed <= tolerance * 1e3)
      return { rows, lagrangian: near, optimum: feasible(optimum), open: near.openContexts };
    prices = optimum.prices;
  }
  return {
    rows,
    lagrangian: whole,
    optimum: feasible(minimizeBound(whole, { tolerance, floor, start: prices })),
  };
}

function samplePrices(problem: Problem): Float64Array {
  const n = problem.demand.contexts;
  const size = n > 400_000 ? 20_000 : 8_000;
  return solveRelaxation(sampleProblem(problem, size)).optimum.prices;
}

function feasible(optimum: DualOptimum): DualOptimum {
  if (!optimum.infeasible) return optimum;
  throw new EvicpressError(
    'No plan keeps every limit: what must be kept does not fit. Allow recompute, loosen pins or quality floors, or raise a capacity.',
  );
}

/** An upper estimate of the span of utilities: best less worst option, summed. */
function roughSpan(problem: Problem): number {
  const { demand, alpha, recomputeSeconds } = problem;
  let span = 0;
  for (let i = 0; i < demand.contexts; i++)
    span += demand.accesses[i]! * (alpha * demand.requestShare[i]! + recomputeSeconds[i]!);
  return Math.max(span, 1e-300);
}

function leastUtility(problem: Problem): number {
  const { demand, forms, tiers, curveOf } = problem;
  const count = forms.storedBytes.length;
  let total = 0;
  for (let i = 0; i < demand.contexts; i++) {
    let least = utilityOf(problem, i, KEEP_NOTHING);
    const first = forms.offsets[curveOf[i]!]!;
    if (first < forms.offsets[curveOf[i]! + 1]!) {
      // Slowest is the largest form of the slowest tier, the uncompressed cache; quality at worst 0.
      for (let t = 0; t < tiers.length; t++)
        least = Math.min(least, -demand.accesses[i]! * ttftOf(problem, i, t * count + first));
    }
    total += least;
  }
  return total;
}
