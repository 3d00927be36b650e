import { utilityOf } from '../../src/plan/choice-costs.js';
import { KEEP_NOTHING, type Problem } from '../../src/plan/problem.js';
import { addUse, couplingRows } from '../../src/plan/rows.js';

/**
 * A planning problem as another program reads it: every option's utility and use of each row. With parents an option
 * stands once for every state of the path above in which it may be chosen, and flows tie contexts to their parents: what
 * is chosen in a state is what the parent leaves in that state.
 */
export interface LinearProgram {
  readonly limits: readonly number[];
  /** First option of every context, and the number of options last. */
  readonly first: readonly number[];
  readonly utility: readonly number[];
  /** By row, by option. */
  readonly use: readonly (readonly number[])[];
  /** Options whose sum equals that of others. */
  readonly flows: readonly { readonly plus: readonly number[]; readonly minus: readonly number[] }[];
}

/** States of a path beside its lossy forms: nothing lossy yet, and not kept. */
const WHOLE = -1;
const NOT_KEPT = -2;

/** Writes a problem out, option by option. */
export function linearProgram(problem: Problem): LinearProgram {
  const { demand, tiers, forms, allowed, curveOf, hasParents } = problem;
  const rows = couplingRows(problem);
  const first = [0];
  const utility: number[] = [];
  const use: number[][] = rows.map(() => []);
  const flows: { plus: number[]; minus: number[] }[] = [];
  const states = hasParents ? [NOT_KEPT, WHOLE, ...forms.lossyNames.keys()] : [WHOLE];
  /** By context and state: the options that leave it. */
  const leaving: number[][][] = [];
  const one = new Float64Array(rows.length);
  const offer = (i: number, choice: number): number => {
    one.fill(0);
    addUse(problem, rows, i, choice, one);
    one.forEach((amount, r) => {
      use[r]!.push(amount);
    });
    return utility.push(utilityOf(problem, i, choice)) - 1;
  };
  for (let i = 0; i < demand.contexts; i++) {
    const parent = demand.parents[i]!;
    const left: number[][] = states.map(() => []);
    for (const [at, state] of states.entries()) {
      if (parent < 0 && state !== WHOLE) continue;
      const entered: number[] = [];
      const take = (choice: number, out: number) => {
        const option = offer(i, choice);
        entered.push(option);
        if (hasParents) left[states.indexOf(out)]!.push(option);
      };
      if (allowed[i]! & (1 << tiers.length)) take(KEEP_NOTHING, NOT_KEPT);
      for (let form = forms.offsets[curveOf[i]!]!; form < forms.offsets[curveOf[i]! + 1]!; form++) {
        const s = forms.lossyOf[form]!;
        if (state === NOT_KEPT || (s >= 0 && state >= 0 && s !== state)) continue;
        for (let t = 0; t < tiers.length; t++)
          if (allowed[i]! & (1 << t)) take(t * forms.storedBytes.length + form, s < 0 ? state : s);
      }
      if (parent >= 0) flows.push({ plus: entered, minus: leaving[parent]![at]! });
    }
    leaving.push(left);
    first.push(utility.length);
  }
  return { limits: rows.map((row) => row.limit), first, utility, use, flows };
}
