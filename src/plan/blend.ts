import { KEEP_NOTHING, type Problem } from './problem.js';
import type { Relaxation } from './relaxation.js';
import { addUse } from './rows.js';

/**
 * Makes whole choices of the optimal fractional mix: every context (or subtree) on which they differ takes one of the
 * active answers, in turn the one that keeps the running use nearest to the mix's (error diffusion). Without it ten
 * thousand identical contexts would all choose alike and overfill or empty a tier.
 */
export function blendAnswers(problem: Problem, { rows, lagrangian, optimum, split }: Relaxation): Int32Array {
  const blended = split?.choices.slice() ?? new Int32Array(problem.demand.contexts).fill(KEEP_NOTHING);
  // The answers differ on the open contexts only: `answers[k]` has theirs, in the order of `open`.
  const open = split?.open;
  const use = new Float64Array(rows.length);
  const answers = optimum.active.map(({ prices }) => {
    lagrangian.choose(prices, use, blended);
    return open === undefined ? blended.slice() : open.map((i) => blended[i]!);
  });
  if (answers.length <= 1) return blended;
  const error = new Float64Array(rows.length);
  const parts = answers.map((choices, k) => ({
    choices,
    use: new Float64Array(rows.length),
    weight: optimum.active[k]!.weight,
  }));
  for (const members of disputed(problem, answers, open)) {
    for (const part of parts) {
      part.use.fill(0);
      for (const k of members) addUse(problem, rows, open?.[k] ?? k, part.choices[k]!, part.use);
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
    for (const k of members) blended[open?.[k] ?? k] = chosen.choices[k]!;
  }
  return blended;
}

/**
 * The groups on which the answers differ: single contexts, or whole subtrees below the first context of a path
 * that is disputed. Above it all answers agree, so any of them fits there.
 */
function* disputed(
  problem: Problem,
  answers: readonly Int32Array[],
  open: Int32Array | undefined,
): Generator<readonly number[]> {
  const { demand, hasParents } = problem;
  const differs = (k: number) => answers.some((choices) => choices[k] !== answers[0]![k]);
  if (!hasParents) {
    for (let k = 0; k < answers[0]!.length; k++) if (differs(k)) yield [k];
    return;
  }
  const head = new Int32Array(demand.contexts).fill(-1);
  const groups = new Map<number, number[]>();
  for (let k = 0; k < answers[0]!.length; k++) {
    const i = open?.[k] ?? k;
    const parent = demand.parents[i]!;
    if (parent >= 0 && head[parent]! >= 0) head[i] = head[parent]!;
    else if (differs(k)) head[i] = i;
    if (head[i] === i) groups.set(i, [k]);
    else if (head[i]! >= 0) groups.get(head[i]!)!.push(k);
  }
  yield* groups.values();
}
