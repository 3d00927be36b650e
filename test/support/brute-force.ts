import { totalUtility } from '../../src/plan/baseline.js';
import { KEEP_NOTHING, type Problem } from '../../src/plan/problem.js';
import { couplingRows, totalUse, withinLimits } from '../../src/plan/rows.js';

/** The best utility, every way to place the contexts tried one by one. */
export function bruteForce(problem: Problem): number {
  let best = Number.NEGATIVE_INFINITY;
  forEveryPlan(problem, (choices) => {
    best = Math.max(best, totalUtility(problem, choices));
  });
  return best;
}

/** Calls back with every plan that keeps the limits. */
export function forEveryPlan(problem: Problem, visit: (choices: Int32Array) => void): void {
  const { demand, tiers, forms, curveOf, allowed } = problem;
  const n = demand.contexts;
  const count = forms.storedBytes.length;
  const choices = new Int32Array(n).fill(KEEP_NOTHING);
  const rows = couplingRows(problem);
  const state = new Int32Array(n).fill(-1);
  const place = (i: number): void => {
    if (i === n) {
      if (withinLimits(rows, totalUse(problem, rows, choices))) visit(choices);
      return;
    }
    const parent = demand.parents[i]!;
    const above = parent < 0 ? -1 : state[parent]!;
    if (allowed[i]! & (1 << tiers.length)) {
      choices[i] = KEEP_NOTHING;
      state[i] = -2;
      place(i + 1);
    }
    if (above === -2) return;
    for (let form = forms.offsets[curveOf[i]!]!; form < forms.offsets[curveOf[i]! + 1]!; form++) {
      const lossy = forms.lossyOf[form]!;
      if (lossy >= 0 && above >= 0 && lossy !== above) continue;
      for (let t = 0; t < tiers.length; t++) {
        if ((allowed[i]! & (1 << t)) === 0) continue;
        choices[i] = t * count + form;
        state[i] = lossy >= 0 ? lossy : above;
        place(i + 1);
      }
    }
  };
  place(0);
}
