import { UNCOMPRESSED } from '../formats/names.js';
import type { Placement } from '../formats/plan.js';
import { KEEP_NOTHING, type Problem } from './problem.js';

/** Ratios this near are one: they come from files, where digits may be rounded. */
const SAME_RATIO = 1e-9;

/** The choice that a plan's row stands for; KEEP_NOTHING where its tier or its form is not offered to context i. */
export function choiceInForce(problem: Problem, i: number, row: Placement): number {
  const { tiers, forms, curveOf } = problem;
  const { offsets, lossyOf, lossyNames, storedBytes } = forms;
  const tier = tiers.findIndex(({ name }) => name === row.tier);
  if (tier < 0) return KEEP_NOTHING;
  const curve = curveOf[i]!;
  for (let form = offsets[curve]!; form < offsets[curve + 1]!; form++) {
    const lossy = lossyNames[lossyOf[form]!];
    const same =
      lossy === undefined
        ? row.method === UNCOMPRESSED
        : lossy.method === row.method && Math.abs(lossy.compressionRatio - row.compressionRatio) < SAME_RATIO;
    if (same) return tier * storedBytes.length + form;
  }
  return KEEP_NOTHING;
}

/** The choices a plan's rows stand for, by context; KEEP_NOTHING where no row names it. */
export function choicesInForce(problem: Problem, rows: readonly Placement[]): Int32Array {
  const rowOf = new Map(rows.map((row) => [row.context, row]));
  return Int32Array.from(problem.demand.ids, (id, i) => {
    const row = rowOf.get(id);
    return row === undefined ? KEEP_NOTHING : choiceInForce(problem, i, row);
  });
}
