import { KEEP_NOTHING, type Problem, utilityOf } from './problem.js';

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

/**
 * The zero of the span: every context at the better of recompute and the slowest tier uncompressed, capacity
 * ignored.
 */
export function baselineUtility(problem: Problem): number {
  const slowest = (problem.tiers.length - 1) * problem.forms.storedBytes.length;
  let total = 0;
  for (let i = 0; i < problem.demand.contexts; i++) {
    const first = problem.forms.offsets[problem.curveOf[i]!]!;
    const recompute = utilityOf(problem, i, KEEP_NOTHING);
    const whole = problem.forms.lossyOf[first]! < 0 ? utilityOf(problem, i, slowest + first) : recompute;
    total += Math.max(recompute, whole);
  }
  return total;
}

/** The gap as a share of what is to be won over the baseline; 0 where there is none. */
export function gapOfSpan(bound: number, utility: number, baseline: number): number {
  const gap = bound - utility;
  return gap <= 0 ? 0 : gap / Math.max(bound - baseline, gap);
}
