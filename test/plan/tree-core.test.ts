import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { couplingRows } from '../../src/plan/rows.js';
import { OPEN } from '../../src/plan/scan-plain.js';
import { dual } from '../../src/plan/solvers/dual.js';
import { TreeLagrangian } from '../../src/plan/tree.js';
import { ordinaryInstance, randomFrom } from '../support/instances.js';

/** A prefix tree of uncompressed segments under three tiers' limits, some of whose segments must be kept. */
function treeOf(seed: number) {
  const problem = ordinaryInstance({ contexts: 60, seed, parents: 0.85, methods: 0 });
  const random = randomFrom(seed + 1);
  const mustKeep = 1 << problem.tiers.length;
  return {
    ...problem,
    tiers: problem.tiers.map((tier, t) => (t === 0 ? { ...tier, bytesPerSecondBudget: 5e5 } : tier)),
    allowed: problem.allowed.map((mask) => (random() < 0.1 ? mask & ~mustKeep : mask)),
  };
}

describe('a tree in a box of prices', () => {
  it('chooses at all of its prices as the whole tree does', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e6 }),
        fc.double({ min: 0.01, max: 2, noNaN: true }),
        (seed, width) => {
          const problem = treeOf(seed);
          const rows = couplingRows(problem);
          const random = randomFrom(seed + 2);
          const tree = new TreeLagrangian(problem, rows);
          const low = Float64Array.from(
            rows,
            ({ kind }) => (kind === 'capacity' ? 2e-9 : 1e-10) * random() ** 3,
          );
          const high = low.map((price) => price * (1 + width));
          const core = tree.coreIn({ low, high }, rows);
          for (let point = 0; point < 5; point++) {
            const prices = low.map(
              (price, r) => price + (high[r]! - price) * [0, 1, random()][Math.min(point, 2)]!,
            );
            const found = { use: new Float64Array(rows.length), choices: core.split.choices.slice() };
            const whole = {
              use: new Float64Array(rows.length),
              choices: new Int32Array(problem.demand.contexts),
            };
            const utility = core.choose(prices, found.use, found.choices);
            expect(utility).toBeCloseTo(tree.choose(prices, whole.use, whole.choices), 9);
            expect(found.choices).toEqual(whole.choices);
            rows.forEach(({ limit }, r) => {
              expect(found.use[r]! / limit).toBeCloseTo(whole.use[r]! / limit, 12);
            });
          }
        },
      ),
      { numRuns: 200, seed: 3 },
    );
  });

  it('is settled but for what depends on the prices', () => {
    const problem = treeOf(5);
    const rows = couplingRows(problem);
    const tree = new TreeLagrangian(problem, rows);
    const prices = Float64Array.from(rows, () => 1e-10);
    const { split } = tree.coreIn({ low: prices, high: prices }, rows);
    const choices = new Int32Array(problem.demand.contexts);
    tree.choose(prices, new Float64Array(rows.length), choices);
    expect(split.open).toHaveLength(0);
    expect(split.choices).toEqual(choices);
    expect(split.choices).not.toContain(OPEN);
  });
});

describe('a large prefix tree', () => {
  it('has the same bound from boxes of prices as from all of it', async () => {
    const problem = ordinaryInstance({ contexts: 50_000, seed: 4, parents: 0.9, methods: 0 });
    const { bound, relaxationBound, prices, utility, baseline } = await dual.solve(problem);
    const rows = couplingRows(problem);
    const use = new Float64Array(rows.length);
    const reached = new TreeLagrangian(problem, rows).choose(prices, use);
    const there = rows.reduce((sum, { limit }, r) => sum + prices[r]! * (limit - use[r]!), reached);
    expect((relaxationBound - there) / (bound - baseline)).toBeCloseTo(0, 12);
    expect((bound - utility) / (bound - baseline)).toBeLessThan(2e-5);
  });
});
