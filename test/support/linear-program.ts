import { KEEP_NOTHING, type Problem, utilityOf } from '../../src/plan/problem.js';
import { addUse, couplingRows } from '../../src/plan/rows.js';

/** A planning problem without parents as another program reads it: every option's utility and use of each row. */
export interface LinearProgram {
  readonly limits: readonly number[];
  /** First option of every context, and the number of options last. */
  readonly first: readonly number[];
  readonly utility: readonly number[];
  /** By row, by option. */
  readonly use: readonly (readonly number[])[];
}

/** Writes a problem out, option by option. */
export function linearProgram(problem: Problem): LinearProgram {
  const { demand, tiers, forms, allowed, curveOf } = problem;
  const rows = couplingRows(problem);
  const first = [0];
  const utility: number[] = [];
  const use: number[][] = rows.map(() => []);
  const one = new Float64Array(rows.length);
  const offer = (i: number, choice: number) => {
    utility.push(utilityOf(problem, i, choice));
    one.fill(0);
    addUse(problem, rows, i, choice, one);
    one.forEach((amount, r) => {
      use[r]!.push(amount);
    });
  };
  for (let i = 0; i < demand.contexts; i++) {
    if (allowed[i]! & (1 << tiers.length)) offer(i, KEEP_NOTHING);
    for (let t = 0; t < tiers.length; t++) {
      if ((allowed[i]! & (1 << t)) === 0) continue;
      for (let form = forms.offsets[curveOf[i]!]!; form < forms.offsets[curveOf[i]! + 1]!; form++)
        offer(i, t * forms.storedBytes.length + form);
    }
    first.push(utility.length);
  }
  return { limits: rows.map((row) => row.limit), first, utility, use };
}
