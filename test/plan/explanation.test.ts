import { describe, expect, it } from 'vitest';
import { explainChoice } from '../../src/plan/explanation.js';
import type { Problem } from '../../src/plan/problem.js';
import { couplingRows } from '../../src/plan/rows.js';
import { dual } from '../../src/plan/solvers/dual.js';
import { ordinaryInstance } from '../support/instances.js';

const problem = ordinaryInstance({ contexts: 300, seed: 9, shares: [0.03, 0.06] });
const { choices, prices } = await dual.solve(problem);
const rows = couplingRows(problem);

/** How far the chosen option is ahead of the same rival in another setting. */
function ahead(
  changed: Problem,
  i: number,
  rowPrices: Float64Array,
  before: ReturnType<typeof explainChoice>,
) {
  const after = explainChoice(changed, i, choices[i]!, rowPrices);
  const { rival } = before;
  const same = after.options.find(
    (option) =>
      option.tier === rival!.tier &&
      option.method === rival!.method &&
      option.compressionRatio === rival!.compressionRatio,
  )!;
  return (after.chosen.net - same.net) / Math.max(Math.abs(after.chosen.net), 1e-9);
}

describe('an explanation', () => {
  it('names the chosen option and, at optimal prices, the best first in nearly every case', () => {
    const first = [...choices.keys()].filter(
      (i) => explainChoice(problem, i, choices[i]!, prices).options[0]!.chosen,
    );
    expect(first.length).toBeGreaterThan(290);
  });

  it('gives thresholds at which chosen and rival are worth the same', () => {
    const seen = { accesses: 0, price: 0 };
    for (let i = 0; i < 300; i++) {
      const found = explainChoice(problem, i, choices[i]!, prices);
      const { accesses, price, capacity } = found.flips;
      if (accesses !== undefined) {
        seen.accesses++;
        const changed = {
          ...problem,
          demand: { ...problem.demand, accesses: problem.demand.accesses.slice() },
        };
        changed.demand.accesses[i] = accesses;
        expect(Math.abs(ahead(changed, i, prices, found))).toBeLessThan(1e-6);
      }
      if (price !== undefined) {
        seen.price++;
        const t = rows.findIndex((row) => problem.tiers[row.tier]!.name === price.tier);
        const changed = prices.map((value, k) => (k === t ? price.value : value));
        expect(Math.abs(ahead(problem, i, changed, found))).toBeLessThan(1e-6);
        // A dearer byte belongs to a smaller tier.
        if (capacity !== undefined && price.value > prices[t]! * 1.2)
          expect(capacity.bytes).toBeLessThanOrEqual(problem.tiers[t]!.capacityBytes * 1.01);
      }
    }
    expect(seen.accesses).toBeGreaterThan(20);
    expect(seen.price).toBeGreaterThan(20);
  });
});
