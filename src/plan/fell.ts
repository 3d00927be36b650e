import type { Assignment } from './assignment.js';
import { KEEP_NOTHING } from './problem.js';

/**
 * Brings a row within its limit by giving up whole subtrees, those that lose least for each unit first: a head that
 * is too large while its descendants lie in other tiers is let go by no change of a single context.
 * Subtrees with a context that must be kept stay.
 */
export function fellSubtrees(assignment: Assignment, r: number, limit: number): void {
  const { problem, rows, use, choices } = assignment;
  const { allowed, tiers, demand } = problem;
  if (use[r]! <= limit) return;
  const n = choices.length;
  const freed = new Float64Array(n);
  const loss = new Float64Array(n);
  const held = new Uint8Array(n);
  const change = new Float64Array(rows.length);
  // Parents come before their children: from the end on every subtree is summed up before its head.
  for (let i = n - 1; i >= 0; i--) {
    if (choices[i] === KEEP_NOTHING) continue;
    assignment.changeOfUse(i, KEEP_NOTHING, change);
    freed[i]! -= change[r]!;
    loss[i]! -= assignment.gain(i, KEEP_NOTHING);
    if ((allowed[i]! & (1 << tiers.length)) === 0) held[i] = 1;
    const parent = demand.parents[i]!;
    if (parent < 0) continue;
    freed[parent]! += freed[i]!;
    loss[parent]! += loss[i]!;
    held[parent]! |= held[i]!;
  }
  const over = use[r]! - limit;
  const score = (i: number) => loss[i]! / Math.min(freed[i]!, over);
  const heads = [...choices.keys()].filter((i) => freed[i]! > 0 && held[i] === 0);
  for (const i of heads.sort((a, b) => score(a) - score(b) || a - b)) {
    if (use[r]! <= limit) return;
    const stack = [i];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (choices[at] === KEEP_NOTHING) continue;
      assignment.set(at, KEEP_NOTHING);
      assignment.forChildren(at, (child) => stack.push(child));
    }
  }
}
