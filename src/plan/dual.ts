import { boundAt, type Lagrangian } from './lagrangian.js';
import { RestrictedMaster } from './master.js';

/** What contexts reach and use when they choose at prices; the limits have no part in it. */
export interface Answer {
  readonly prices: Float64Array;
  readonly utility: number;
  readonly use: Float64Array;
}

/** An answer that has a part in the optimal mix. */
export interface ActiveAnswer {
  /** Its position among all answers. */
  readonly answer: number;
  readonly prices: Float64Array;
  readonly weight: number;
}

/** The minimum of the bound over prices. */
export interface DualOptimum {
  readonly prices: Float64Array;
  /** The bound at `prices`: no plan reaches more. */
  readonly bound: number;
  /** What the best fractional mix of answers reaches; equal to the bound when converged. */
  readonly mixed: number;
  /** The answers of that mix, weights summing to 1. */
  readonly active: readonly ActiveAnswer[];
  /** All answers known, the latest last. */
  readonly answers: readonly Answer[];
  /** Answers asked for. */
  readonly evaluations: number;
  /** Stopped at the edge of the box: the optimum lies outside. */
  readonly atEdge: boolean;
  /** No mix of answers keeps the limits: the relaxation itself is infeasible. */
  readonly infeasible: boolean;
}

export interface DualOptions {
  /** Where to begin. */
  readonly start?: Float64Array;
  /** Answers of the same Lagrangian, at these or other limits. */
  readonly answers?: readonly Answer[];
  /** Stop when bound − mixed ≤ tolerance · (bound − baseline). */
  readonly tolerance: number;
  /** Stop as soon as the bound is no higher. */
  readonly enough?: number;
  /** The zero of the span. */
  readonly baseline: number;
  /** A utility below every answer's. */
  readonly floor: number;
  /** Stay inside this box. */
  readonly low?: Float64Array;
  readonly high?: Float64Array;
  readonly maxEvaluations?: number;
}

/** How many times deeper the floor is tried before limits are said to be impossible. */
const DEEPER = [1e3, 1e6];

/**
 * Minimises the Lagrangian bound by cutting planes: each answer is a cut (and a column of the restricted
 * master), all are kept, and the next prices lie half-way between the best so far and the master's optimum,
 * which damps the zigzag of pure cutting planes. Ends at the master's own point when the half-way point
 * brings nothing new, so that bound and mix meet.
 */
export function minimizeBound(lagrangian: Lagrangian, options: DualOptions): DualOptimum {
  let optimum = minimized(lagrangian, options);
  // Where something must be kept, no answer uses nothing: a little of the artificial one may be cheaper than what
  // keeps the limits. If it stays however dear it is, nothing does.
  const depth = optimum.bound - options.floor;
  for (const times of options.high === undefined ? DEEPER : []) {
    if (!optimum.infeasible) break;
    optimum = minimized(lagrangian, {
      ...options,
      answers: optimum.answers,
      floor: options.floor - times * depth,
    });
  }
  return optimum;
}

function minimized(lagrangian: Lagrangian, options: DualOptions): DualOptimum {
  const { limits } = lagrangian;
  const rows = limits.length;
  const { floor, baseline, low, high, maxEvaluations = 400, enough = Number.NEGATIVE_INFINITY } = options;
  const master = new RestrictedMaster(limits, floor);
  const answers = [...(options.answers ?? [])];
  const known = answers.length;
  const use = new Float64Array(rows);
  const target = new Float64Array(rows);
  let best = new Float64Array(rows);
  let bound = Number.POSITIVE_INFINITY;
  let atEdge = false;

  const ask = (prices: Float64Array): { bound: number; utility: number } => {
    const utility = lagrangian.choose(prices, use);
    const answer = boundAt(limits, prices, utility, use);
    answers.push({ prices: Float64Array.from(prices), utility, use: use.slice() });
    master.add(utility, use);
    if (answer < bound) {
      bound = answer;
      best = Float64Array.from(prices);
    }
    return { bound: answer, utility };
  };

  const near = (factor: number) => bound - mix.value <= factor * options.tolerance * (bound - baseline);

  for (const answer of answers) master.add(answer.utility, answer.use);
  ask(options.start ?? new Float64Array(rows));
  let mix = master.solve(target);
  let step = 0.5;
  let stalled = 0;
  while (stalled < 3 && bound > enough && answers.length - known < maxEvaluations && !near(1)) {
    const trial = new Float64Array(rows);
    let clamped = false;
    let same = true;
    for (let r = 0; r < rows; r++) {
      const wanted = best[r]! + step * (target[r]! - best[r]!);
      trial[r] = Math.min(high?.[r] ?? Number.POSITIVE_INFINITY, Math.max(low?.[r] ?? 0, wanted));
      if (trial[r] !== wanted) clamped = true;
      if (trial[r] !== best[r]) same = false;
    }
    if (same) {
      atEdge = clamped;
      if (step === 1) break;
      step = 1;
      continue;
    }
    const before = bound;
    const answer = ask(trial);
    const priced = boundAt(limits, target, answer.utility, use);
    const cuts = priced > mix.value + 0.1 * (before - mix.value);
    mix = master.solve(target);
    if (clamped && !cuts && bound >= before) {
      atEdge = true;
      break;
    }
    stalled = cuts || bound < before || step < 1 ? 0 : stalled + 1;
    // A half-way point that cuts nothing off and improves nothing: go and ask at the master's own optimum.
    step = cuts || bound < before ? 0.5 : step === 1 ? 0.5 : 1;
    if (near(1e3)) step = 1;
  }
  return {
    prices: best,
    bound,
    mixed: mix.value,
    active: [...mix.weights].map(([answer, weight]) => ({
      answer,
      prices: answers[answer]!.prices,
      weight,
    })),
    answers,
    evaluations: answers.length - known,
    atEdge,
    infeasible: mix.artificial > 1e-6,
  };
}
