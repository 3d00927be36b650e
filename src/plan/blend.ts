import type { ActiveAnswer } from './dual.js';
import type { Lagrangian } from './lagrangian.js';
import type { Problem } from './problem.js';
import { addUse, type Row } from './rows.js';

/**
 * Makes whole choices of the optimal fractional mix: every context (or subtree) on which they differ takes one of the
 * active answers, in turn the one that keeps the running use nearest to the mix's (error diffusion). Without it ten
 * thousand identical contexts would all choose alike and overfill or empty a tier.
 */
export function blendAnswers(
  problem: Problem,
  rows: readonly Row[],
  lagrangian: Lagrangian,
  active: readonly ActiveAnswer[],
): Int32Array {
  const n = problem.demand.contexts;
  const use = new Float64Array(rows.length);
  const answers = active.map(({ prices }) => {
    const choices = new Int32Array(n);
    lagrangian.choose(prices, use, choices);
    return choices;
  });
  const blended = answers[0] ?? new Int32Array(n).fill(-1);
  if (answers.length <= 1) return blended;
  const error = new Float64Array(rows.length);
  const uses = active.map(() => new Float64Array(rows.length));
  const parts = answers.map((choices, k) => ({ choices, use: uses[k]!, weight: active[k]!.weight }));
  for (const members of disputed(problem, answers)) {
    for (const part of parts) {
      part.use.fill(0);
      for (const i of members) addUse(problem, rows, i, part.choices[i]!, part.use);
      for (let r = 0; r < rows.length; r++) part.use[r]! /= rows[r]!.limit;
    }
    for (let r = 0; r < rows.length; r++) for (const part of parts) error[r]! += part.weight * part.use[r]!;
    let chosen = parts[0]!;
    let least = Number.POSITIVE_INFINITY;
    for (const part of parts) {
      let distance = 0;
      for (let r = 0; r < rows.length; r++) distance += (error[r]! - part.use[r]!) ** 2;
      if (distance < least) {
        least = distance;
        chosen = part;
      }
    }
    for (let r = 0; r < rows.length; r++) error[r]! -= chosen.use[r]!;
    for (const i of members) blended[i] = chosen.choices[i]!;
  }
  return blended;
}

/**
 * The groups on which the answers differ: single contexts, or whole subtrees below the first context of a path
 * that is disputed. Above it all answers agree, so any of them fits there.
 */
function* disputed(problem: Problem, answers: readonly Int32Array[]): Generator<readonly number[]> {
  const { demand, hasParents } = problem;
  const differs = (i: number) => answers.some((choices) => choices[i] !== answers[0]![i]);
  if (!hasParents) {
    for (let i = 0; i < demand.contexts; i++) if (differs(i)) yield [i];
    return;
  }
  const head = new Int32Array(demand.contexts);
  const groups = new Map<number, number[]>();
  for (let i = 0; i < demand.contexts; i++) {
    const parent = demand.parents[i]!;
    head[i] = parent >= 0 && head[parent]! >= 0 ? head[parent]! : differs(i) ? i : -1;
    if (head[i] === i) groups.set(i, [i]);
    else if (head[i]! >= 0) groups.get(head[i]!)!.push(i);
  }
  yield* groups.values();
}
