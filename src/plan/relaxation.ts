import { spanOf, totalUtility } from './baseline.js';
import { boxedLagrangians, type SolverIn, splitsInBoxes, wholeLagrangian } from './boxed.js';
import { utilityOf } from './choice-costs.js';
import { type Answer, type DualOptimum, minimizeBound } from './dual.js';
import { Foretelling } from './foretelling.js';
import type { IndependentLagrangian } from './independent.js';
import { InfeasibleError } from './infeasible.js';
import type { Lagrangian } from './lagrangian.js';
import type { Box, Core } from './nested-cores.js';
import type { Problem } from './problem.js';
import { addUse, couplingRows, type Row, totalUse } from './rows.js';
import { pickContexts, sampleOf } from './sample.js';
import type { Split } from './scan.js';

/** What figures of utility are measured against. */
interface Scale {
  /** The zero of the span. */
  readonly baseline: number;
  /** A utility below that of all choices at any prices. */
  readonly floor: number;
  /** Above every plan. */
  readonly most: number;
}

/** The relaxation solved: its rows, the Lagrangian near the optimum and the optimum itself. */
export interface Relaxation extends Scale {
  readonly rows: readonly Row[];
  readonly lagrangian: Lagrangian;
  readonly optimum: DualOptimum;
  /** Whose choice the prices alone settle, and who is open; absent: anybody may be. */
  readonly split?: Split;
}

/** The limits of a relaxation, and prices to begin from. */
interface Limited {
  readonly rows: readonly Row[];
  readonly start?: Float64Array | undefined;
}

/** How near the bound and the mix must come, as a share of the span. */
export const TOLERANCE = 1e-10;
/** Where rounding keeps bound and mix apart they have met when they are this near. */
const NEAR_ENOUGH = 1e-7;
/** At many limits less will do, for curves; and on a sample, whose own error is far larger. */
const TOLERANCE_OF_MANY = 1e-9;
const sampleTolerance = (sample: number) => 1e-2 / sample;
/** From here on prices are first found on a sample; for many limits at once it pays sooner. */
const SAMPLE_FROM = { one: 40_000, many: 4_000 };
/** Size of the smallest sample, and what share of the contexts a sample is at most. */
const SAMPLE = { one: 10_000, many: 1_000 };
const SAMPLE_SHARE = 10;
/** Half the width of the box of prices around a sample's optimum, as a share of them: some standard errors. */
const boxWidth = (sample: number) => 4 / Math.sqrt(sample);
/** The same around the prices of a sample's contexts without their parents. */
const WITHOUT_PARENTS = 0.14;
/** The same around prices in force, for which the largest samples are no better. */
const IN_FORCE = 0.02;
/** The same for prices near 0, as a share of those at which all of a limit would cost the whole span. */
const NEAR_ZERO = 0.03;
/**
 * Where a box leaves more than this share of a tree open, the optimum is first found roughly, as a share of the
 * span, and then looked for in a narrow box around it. Near its minimum the bound rises with the square of the distance.
 */
const LARGE_CORE = 0.05;
const ROUGHLY = 1e-6;
const ROUGH_PRICES = 3 * Math.sqrt(ROUGHLY);
/** The box is widened this much when the optimum lies at its edge, and given up at this width. */
const WIDENED = 4;
const WIDEST = 0.6;
/** A share of a utility that rounding of sums does not hide. */
const DISTINCT = 1e-9;
/** Answers handed on from one set of limits to the next: enough to surround the next optimum. */
const ANSWERS = 60;

/**
 * Minimises the dual bound. Large problems are solved on a sample first, and that on a smaller one; a sample's prices
 * give a box in which most contexts have one best choice, so that only the undecided few are evaluated again. If the
 * optimum lies at the box's edge, the box is widened. A sample of a tree has no parents, and needs a wider box.
 * @param start prices to begin from. @param answers of the same contexts, at these or other limits.
 * @throws EvicpressError when the relaxation has no solution, so that no plan has.
 */
export function solveRelaxation(
  problem: Problem,
  start?: Float64Array,
  answers: readonly Answer[] = [],
): Relaxation {
  const [relaxation] = minimized(
    problem,
    [{ rows: couplingRows(problem), start }],
    TOLERANCE,
    'one',
    answers,
  ) as [Relaxation];
  if (relaxation.optimum.infeasible) throw new InfeasibleError();
  return relaxation;
}

/**
 * The same at many limits of the same rows, neighbours near each other. A split then is about a core's contexts.
 * @throws EvicpressError when one of them has no solution.
 */
export function solveRelaxations(problem: Problem, limited: readonly (readonly Row[])[]): Relaxation[] {
  const found = minimized(
    problem,
    limited.map((rows) => ({ rows })),
    TOLERANCE_OF_MANY,
    'many',
    [],
  );
  if (found.some(({ optimum }) => optimum.infeasible)) throw new InfeasibleError();
  return found;
}

function minimized(
  problem: Problem,
  wanted: readonly Limited[],
  tolerance: number,
  how: 'one' | 'many',
  answers: readonly Answer[],
): Relaxation[] {
  const n = problem.demand.contexts;
  const scale = scaleOf(problem);
  const found = new Array<Relaxation>(wanted.length);
  let known = answers;
  /** Minimises at the k-th limits, whose optimum may lie in a box only. @returns whether that is the optimum. */
  const minimize = (
    k: number,
    lagrangian: Lagrangian,
    start?: Float64Array,
    box?: Box,
    split?: Split,
    within = tolerance,
  ): boolean => {
    const optimum = minimizeBound(lagrangian, {
      ...scale,
      ...box,
      ...(start && { start }),
      answers: known,
      tolerance: within,
    });
    known = optimum.answers.slice(-ANSWERS);
    const { rows } = wanted[k]!;
    found[k] = { rows, lagrangian, optimum, ...scale, ...(split && { split }) };
    return box === undefined || settledInside(optimum, scale, within);
  };
  /** Minimises in a box; in a tree first roughly where its core is so large that a smaller one pays. */
  const minimizeIn = (k: number, solverIn: SolverIn, start: Float64Array, box: Box): boolean => {
    const { rows } = wanted[k]!;
    const { lagrangian, split } = solverIn(box, rows);
    const large = problem.hasParents && split.open.length > LARGE_CORE * n;
    if (large && minimize(k, lagrangian, start, box, split, ROUGHLY)) {
      const { prices, bound } = found[k]!.optimum;
      const narrow = inside(boxAround(prices, rows, bound - scale.baseline, ROUGH_PRICES), box);
      const core = solverIn(narrow, rows);
      if (minimize(k, core.lagrangian, prices, narrow, core.split)) return true;
    }
    return minimize(k, lagrangian, start, box, split);
  };
  const onWhole = (k: number, start?: Float64Array) => {
    minimize(k, wholeLagrangian(problem, wanted[k]!.rows), start);
  };
  const { rows } = wanted[0]!;
  if (!splitsInBoxes(problem) || n < SAMPLE_FROM[how] || rows.length === 0) {
    let before: Float64Array | undefined;
    for (const [k, { start = before }] of wanted.entries()) {
      onWhole(k, start);
      before = found[k]!.optimum.prices;
    }
    return found;
  }
  const inBoxes = boxedLagrangians(problem, rows);
  const { start } = wanted[0]!;
  if (start !== undefined) {
    // Prices in force have hardly changed as long as demand has changed a little: no sample tells them better.
    let settled = false;
    const box = boxAround(start, rows, scale.most - scale.baseline, IN_FORCE);
    inBoxes([box], (k, solverIn) => {
      settled = minimizeIn(k, solverIn, start, box);
    });
    if (settled) return found;
  }
  const size = problem.hasParents ? SAMPLE[how] : Math.max(SAMPLE[how], Math.floor(n / SAMPLE_SHARE));
  const sampled = minimized(
    pickContexts(problem, sampleOf(n, size)),
    wanted.map((one) => ({
      ...one,
      rows: one.rows.map((row) => ({ ...row, limit: (row.limit * size) / n })),
    })),
    sampleTolerance(size),
    how,
    [],
  );
  const starts = sampled.map(({ optimum }) => optimum.prices);
  let pending = [...wanted.keys()];
  const first = problem.hasParents ? WITHOUT_PARENTS : boxWidth(size);
  for (let width = first; width < WIDEST && pending.length > 0; width *= WIDENED) {
    const around = (k: number, prices: Float64Array, share = 1) =>
      boxAround(prices, sampled[k]!.rows, sampled[k]!.optimum.bound - sampled[k]!.baseline, width * share);
    const missed: number[] = [];
    const foretelling = new Foretelling();
    inBoxes(
      pending.map((k) => around(k, starts[k]!)),
      (at, solverIn) => {
        const k = pending[at]!;
        const solvedIn = (start: Float64Array, box: Box) => minimizeIn(k, solverIn, start, box);
        const box = around(k, starts[k]!);
        const near = foretelling.near(starts[k]!, box, width);
        const settled =
          (near !== undefined && solvedIn(near.prices, inside(around(k, near.prices, near.share), box))) ||
          solvedIn(starts[k]!, box);
        const { prices } = found[k]!.optimum;
        if (settled) foretelling.learn(starts[k]!, prices);
        else missed.push(k);
        starts[k] = prices;
      },
    );
    pending = missed;
  }
  for (const k of pending) onWhole(k, starts[k]);
  return found;
}

/** The scale of a problem, at whatever limits. */
function scaleOf(problem: Problem): Scale {
  const { baseline, least, most } = spanOf(problem);
  // Where all choices are worth the same there is no span to go by: the floor must still be a lower number.
  const below = Math.max(most - least, DISTINCT * Math.max(Math.abs(least), Math.abs(most)));
  return { baseline, floor: least - (below > 0 ? below : 1), most };
}

/** The contexts of a core that prices near the optimum leave open. @param width share of the prices that is near. */
export function coreNear(relaxation: Relaxation, lagrangian: IndependentLagrangian, width: number): Core {
  const { rows, optimum, baseline } = relaxation;
  return lagrangian.coreIn(boxAround(optimum.prices, rows, optimum.bound - baseline, width));
}

/** A box around prices, give or take a share of them, and wide enough for one to fall to 0 or to rise from it. */
function boxAround(prices: Float64Array, rows: readonly Row[], span: number, width: number): Box {
  const nearZero = (r: number) =>
    Math.max(Number.MIN_VALUE, (width * NEAR_ZERO * Math.max(0, span)) / rows[r]!.limit);
  return {
    low: prices.map((price, r) => Math.max(0, price * (1 - width) - nearZero(r))),
    high: prices.map((price, r) => price * (1 + width) + nearZero(r)),
  };
}

/** What two boxes have in common; they overlap. */
function inside(a: Box, b: Box): Box {
  return {
    low: a.low.map((price, r) => Math.max(price, b.low[r]!)),
    high: a.high.map((price, r) => Math.min(price, b.high[r]!)),
  };
}

/** Whether what was found in a box of prices is the optimum: bound and mix have met, and not at its edge. */
function settledInside(
  { atEdge, bound, mixed }: DualOptimum,
  { baseline }: Scale,
  tolerance: number,
): boolean {
  return !atEdge && bound - mixed <= Math.max(NEAR_ENOUGH, 10 * tolerance) * (bound - baseline);
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
