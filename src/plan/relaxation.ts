import { type DualOptimum, minimizeBound } from './dual.js';
import { IndependentLagrangian } from './independent.js';
import { InfeasibleError } from './infeasible.js';
import type { Lagrangian } from './lagrangian.js';
import { loadSecondsOf, type Problem } from './problem.js';
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
/** Size of the sample. */
const SAMPLE = 20_000;
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
export function solveRelaxation(problem: Problem, start?: Float64Array): Relaxation {
  const rows = couplingRows(problem);
  const { least, most } = utilityRange(problem);
  const tolerance = TOLERANCE * Math.max(most - least, 1e-300);
  const floor = least - Math.max(1, most - least);
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
  let prices = solveRelaxation(sampleProblem(problem, SAMPLE), start).optimum.prices;
  for (let width = BOX_WIDTH; width < 0.6; width *= WIDENED) {
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

function feasible(optimum: DualOptimum): DualOptimum {
  if (!optimum.infeasible) return optimum;
  throw new InfeasibleError();
}

/**
 * Rough ends of what plans can reach: all at full quality and no waiting; all at no quality and the longest wait.
 */
function utilityRange(problem: Problem): { least: number; most: number } {
  const { demand, alpha, tiers, recomputeSeconds, forms, curveOf, budgets } = problem;
  const last = tiers.length - 1;
  const slowestByte = Math.max(...tiers.map((tier) => tier.secondsPerByte));
  const slowestStart = Math.max(...tiers.map((tier) => tier.latencySeconds));
  const tabled = tiers.some((tier) => tier.tabled);
  const perByte = (problem.movingSecondsPerByte ?? 0) + Math.max(0, ...(budgets?.charge ?? []));
  let least = 0;
  let most = 0;
  for (let i = 0; i < demand.contexts; i++) {
    const f = demand.accesses[i]!;
    const whole = tabled
      ? loadSecondsOf(problem, i, last, forms.offsets[curveOf[i]!]!)
      : slowestStart + slowestByte * demand.fullBytes[i]!;
    least -= f * Math.max(recomputeSeconds[i]!, whole);
    if (perByte > 0) least -= recomputeSeconds[i]! + perByte * demand.fullBytes[i]!;
    most += f * alpha * demand.requestShare[i]!;
  }
  return { least, most };
}
