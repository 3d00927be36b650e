import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { baselineUtility, gapOfSpan, totalUtility } from '../../src/plan/baseline.js';
import { fitCurves } from '../../src/plan/curves.js';
import type { Demand } from '../../src/plan/demand.js';
import { buildProblem, KEEP_NOTHING, type Problem } from '../../src/plan/problem.js';
import { couplingRows, totalUse, withinLimits } from '../../src/plan/rows.js';
import { solvers } from '../../src/plan/solvers/index.js';
import { bruteForce } from '../support/brute-force.js';
import { classRows, ordinaryInstance, randomFrom, TEST_MODEL, tier } from '../support/instances.js';

/** A small instance drawn from a seed: rough sizes, ties, zero capacities, giants. */
function smallInstance(seed: number, contexts: number, withParents: boolean): Problem {
  const random = randomFrom(seed);
  const n = contexts;
  const size = () => Math.round(10 ** (random() * 3)) * 1e6;
  const fullBytes = Float64Array.from({ length: n }, () => (random() < 0.3 ? 1e9 : size()));
  const parents = Int32Array.from({ length: n }, (_, i) =>
    withParents && i > 0 && random() < 0.7 ? Math.floor(random() * i) : -1,
  );
  const demand: Demand = {
    contexts: n,
    ids: Array.from({ length: n }, (_, i) => `c${i}`),
    tokens: fullBytes.map((bytes) => bytes / TEST_MODEL.kvBytesPerToken),
    startTokens: new Float64Array(n),
    fullBytes,
    accesses: Float64Array.from({ length: n }, () => (random() < 0.2 ? 0 : 10 ** (3 * random() - 1))),
    requestShare: Float64Array.from({ length: n }, () => (random() < 0.5 ? 1 : 0.1 + 0.9 * random())),
    parents,
    classOf: Int32Array.from({ length: n }, () => Math.floor(random() * 2)),
    classes: ['class-0', 'class-1'],
    tenantOf: new Int32Array(n).fill(-1),
    tenants: [],
    periodSeconds: 100,
  };
  const total = fullBytes.reduce((sum, bytes) => sum + bytes, 0);
  const capacity = () => (random() < 0.15 ? 0 : Math.round(total * random()));
  const tiers = [
    tier('dram', capacity(), 20e9, 0.001),
    tier('ssd', random() < 0.3 ? null : capacity(), 2e9, 0.01 * random()),
  ];
  const alpha = [0, 0.01, 1, 100][Math.floor(random() * 4)]!;
  return buildProblem(
    demand,
    tiers,
    TEST_MODEL,
    fitCurves(classRows(2, withParents ? 2 : 1, [0.5, 0.9], random)),
    { alpha },
  );
}

describe.each(solvers)('$name', (solver) => {
  it.each([false, true])('keeps every limit and never beats brute force (parents: %s)', (withParents) => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 1, max: 5 }), (seed, contexts) => {
        const problem = smallInstance(seed, contexts, withParents);
        const solution = solver.solve(problem);
        const rows = couplingRows(problem);
        const optimum = bruteForce(problem);
        const scale =
          Math.max(1e-9, Math.abs(optimum), solution.relaxationBound - baselineUtility(problem)) * 1e-9;
        expect(withinLimits(rows, totalUse(problem, rows, solution.choices))).toBe(true);
        expect(solution.utility).toBeCloseTo(totalUtility(problem, solution.choices), 6);
        expect(solution.utility).toBeLessThanOrEqual(optimum + scale);
        expect(solution.bound).toBeGreaterThanOrEqual(optimum - scale);
        expect(solution.relaxationBound).toBeGreaterThanOrEqual(solution.bound - scale);
        if (solver.name === 'exact' && !withParents)
          expect(solution.utility).toBeGreaterThanOrEqual(optimum - scale);
        problem.demand.parents.forEach((parent, i) => {
          if (parent >= 0 && solution.choices[i] !== KEEP_NOTHING)
            expect(solution.choices[parent]).not.toBe(KEEP_NOTHING);
        });
      }),
      { numRuns: 150, seed: 7 },
    );
  });
});

describe('dual', () => {
  const dual = solvers[0]!;

  it.each([1, 2, 3])('is within 1e-5 of the bound at 1,000 ordinary contexts (seed %i)', (seed) => {
    for (const shares of [
      [0.05, 0.3],
      [0.02, 0.05],
      [0.01, 0.02],
    ] as const) {
      const problem = ordinaryInstance({ contexts: 1000, seed, shares });
      const { bound, utility, relaxationBound } = dual.solve(problem);
      expect(gapOfSpan(bound, utility, baselineUtility(problem))).toBeLessThanOrEqual(1e-5);
      expect(relaxationBound).toBeGreaterThanOrEqual(utility);
    }
  });

  it('gives the same plan for the same instance, and the same utility in any order', () => {
    const problem = ordinaryInstance({ contexts: 300, seed: 5, shares: [0.03, 0.06] });
    expect(dual.solve(problem).choices).toEqual(dual.solve(problem).choices);
  });

  it('places ten thousand identical contexts', () => {
    const one = ordinaryInstance({ contexts: 10_000, classes: 1, seed: 3, shares: [0.05, 0.1] });
    const { demand } = one;
    const same = {
      ...demand,
      tokens: demand.tokens.fill(1000),
      fullBytes: demand.fullBytes.fill(131_072_000),
      accesses: demand.accesses.fill(3),
    };
    const tiers = [
      tier('dram', 131_072_000 * 500.5, 20e9),
      tier('ssd', 131_072_000 * 1000.5, 3e9),
      tier('remote', null, 1e9, 0.02),
    ];
    const problem = buildProblem(same, tiers, TEST_MODEL, fitCurves([]), { alpha: 1 });
    const { bound, utility, choices } = dual.solve(problem);
    const rows = couplingRows(problem);
    expect(withinLimits(rows, totalUse(problem, rows, choices))).toBe(true);
    expect(gapOfSpan(bound, utility, baselineUtility(problem))).toBeLessThan(1e-3);
  });

  it('never loses utility when a tier grows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e5 }), (seed) => {
        const exact = solvers[1]!;
        const problem = smallInstance(seed, 5, false);
        const larger = {
          ...problem,
          tiers: problem.tiers.map((entry) => ({ ...entry, capacityBytes: entry.capacityBytes * 1.5 })),
        };
        const before = exact.solve(problem).utility;
        expect(exact.solve(larger).utility).toBeGreaterThanOrEqual(before - 1e-9 * Math.abs(before));
      }),
      { numRuns: 100, seed: 11 },
    );
  });
});
