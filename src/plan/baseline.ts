import { loadSecondsOf, utilityOf } from './choice-costs.js';
import type { Problem } from './problem.js';

/** Utility of all choices, by Kahan's sum. */
export function totalUtility(problem: Problem, choices: Int32Array): number {
  let total = 0;
  let carry = 0;
  for (let i = 0; i < choices.length; i++) {
    const term = utilityOf(problem, i, choices[i]!) - carry;
    const next = total + term;
    carry = next - total - term;
    total = next;
  }
  return total;
}

/** What is to be won, and the ends of what choices can reach. */
export interface Span {
  /** The zero of the span: every context at the better of recompute and the slowest tier whole, capacity ignored. */
  readonly baseline: number;
  /** Reached by all choices at any prices: recompute where that is allowed, else no quality and the longest wait. */
  readonly least: number;
  /** Above every plan: full quality, no wait. */
  readonly most: number;
}

/** The span of a problem; charges and the cost of moving do not lower the baseline. */
export function spanOf(problem: Problem): Span {
  const { demand, alpha, tiers, forms, curveOf, recomputeSeconds, allowed, budgets, inForce } = problem;
  const { accesses, requestShare, fullBytes } = demand;
  const last = tiers.length - 1;
  const slowest = tiers[last]!;
  const longestStart = Math.max(...tiers.map((tier) => tier.latencySeconds));
  const longestByte = Math.max(...tiers.map((tier) => tier.secondsPerByte));
  const moving = inForce === undefined ? undefined : problem.movingSecondsPerByte;
  const perByte = (moving ?? 0) + Math.max(0, ...(budgets?.charge ?? []));
  const tabled = tiers.some((tier) => tier.tabled);
  let baseline = 0;
  let least = 0;
  let most = 0;
  for (let i = 0; i < demand.contexts; i++) {
    const f = accesses[i]!;
    const share = requestShare[i]!;
    const full = fullBytes[i]!;
    const first = forms.offsets[curveOf[i]!]!;
    const recompute = recomputeSeconds[i]!;
    const load = tabled
      ? loadSecondsOf(problem, i, last, first)
      : share * slowest.latencySeconds + full * slowest.secondsPerByte;
    const whole = forms.lossyOf[first]! < 0 ? Math.min(recompute, load) : recompute;
    baseline += f * (alpha * share - whole);
    if (allowed[i]! & (1 << tiers.length)) least += f * (alpha * share - recompute);
    else {
      least -= f * Math.max(load, longestStart + longestByte * full) + perByte * full;
      if (moving !== undefined) least -= recompute;
    }
    most += f * alpha * share;
  }
  return { baseline, least, most };
}

/** The zero of the span. */
export function baselineUtility(problem: Problem): number {
  return spanOf(problem).baseline;
}

/** The gap as a share of what is to be won over the baseline; 0 where there is none. */
export function gapOfSpan(bound: number, utility: number, baseline: number): number {
  const gap = bound - utility;
  return gap <= 0 ? 0 : gap / Math.max(bound - baseline, gap);
}
