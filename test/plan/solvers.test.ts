import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ContextRow } from '../../src/formats/contexts.js';
import type { Tier } from '../../src/formats/tiers.js';
import { baselineUtility, gapOfSpan, totalUtility } from '../../src/plan/baseline.js';
import { fitCurves } from '../../src/plan/curves.js';
import { demandOfContexts } from '../../src/plan/demand-of-contexts.js';
import { buildProblem, KEEP_NOTHING, type Problem } from '../../src/plan/problem.js';
import { couplingRows, totalUse, withinLimits } from '../../src/plan/rows.js';
import { solvers } from '../../src/plan/solvers/index.js';
import { bruteForce } from '../support/brute-force.js';
import { ordinaryInstance, TEST_MODEL, tier } from '../support/instances.js';
import { smallInstance } from '../support/small-instance.js';

/** A problem of contexts written as in a file, without compression. */
function problemOf(
  rows: readonly ContextRow[],
  tiers: readonly Tier[],
  { model = TEST_MODEL, alpha = 1 } = {},
): Problem {
  const demand = demandOfContexts({ header: {}, rows }, model, 'contexts.ndjson');
  return buildProblem(demand, tiers, model, fitCurves([]), { alpha });
}

describe.each(solvers)('$name', (solver) => {
  it('plans where all choices are worth the same but for rounding', async () => {
    const model = { ...TEST_MODEL, prefill: { secondsPerToken: 0, secondsPerTokenSquared: 0 } };
    const contexts = [1, 53, 0.062786].map((accesses, i) => ({ context: `c${i}`, tokens: 200, accesses }));
    const problem = problemOf(contexts, [tier('dram', 5e7, 20e9)], { model, alpha: 1e9 });
    expect([...(await solver.solve(problem)).choices]).toEqual([KEEP_NOTHING, KEEP_NOTHING, KEEP_NOTHING]);
  });

  it('lets a head go that is larger than every tier, and with it what hangs below', async () => {
    const contexts = [
      { context: 'head', tokens: 45_000, accesses: 1 },
      { context: 'left', tokens: 3000, accesses: 18, parent: 'head' },
      { context: 'right', tokens: 20, accesses: 2, parent: 'head' },
      { context: 'alone', tokens: 400, accesses: 13 },
    ];
    const problem = problemOf(contexts, [tier('dram', 5.8e9, 1e12), tier('ssd', 2.3e9, 5e10)]);
    const { choices, utility } = await solver.solve(problem);
    expect([...choices.slice(0, 3)]).toEqual([KEEP_NOTHING, KEEP_NOTHING, KEEP_NOTHING]);
    if (solver.name === 'dual' || solver.name === 'exact') expect(utility).toBe(bruteForce(problem));
  });

  it.each([
    { withParents: false, between: 0, most: 5 },
    { withParents: true, between: 0, most: 5 },
    { withParents: false, between: 1, most: 4 },
    { withParents: false, between: 2, most: 4 },
    { withParents: true, between: 2, most: 3 },
  ])('keeps every limit and never beats brute force (%o)', async ({ withParents, between, most }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1e6 }),
        fc.integer({ min: 1, max: most }),
        async (seed, contexts) => {
          const problem = smallInstance(seed, contexts, withParents, between);
          const solution = await solver.solve(problem);
          const rows = couplingRows(problem);
          const optimum = bruteForce(problem);
          const scale =
            Math.max(1e-9, Math.abs(optimum), solution.relaxationBound - baselineUtility(problem)) * 1e-9;
          expect(withinLimits(rows, totalUse(problem, rows, solution.choices))).toBe(true);
          expect(solution.utility).toBeCloseTo(totalUtility(problem, solution.choices), 6);
          expect(solution.utility).toBeLessThanOrEqual(optimum + scale);
          expect(solution.bound).toBeGreaterThanOrEqual(optimum - scale);
          expect(solution.relaxationBound).toBeGreaterThanOrEqual(solution.bound - scale);
          if (solver.name === 'exact') expect(solution.utility).toBeGreaterThanOrEqual(optimum - scale);
          problem.demand.parents.forEach((parent, i) => {
            if (parent >= 0 && solution.choices[i] !== KEEP_NOTHING)
              expect(solution.choices[parent]).not.toBe(KEEP_NOTHING);
          });
        },
      ),
      { numRuns: between === 0 ? 150 : 60, seed: 7 },
    );
  });
});

describe('dual', () => {
  const dual = solvers[0]!;

  it.each([1, 2, 3])('is within 1e-5 of the bound at 1,000 ordinary contexts (seed %i)', async (seed) => {
    for (const shares of [
      [0.05, 0.3],
      [0.02, 0.05],
      [0.01, 0.02],
    ] as const) {
      const problem = ordinaryInstance({ contexts: 1000, seed, shares });
      const { bound, utility, relaxationBound } = await dual.solve(problem);
      expect(gapOfSpan(bound, utility, baselineUtility(problem))).toBeLessThanOrEqual(1e-5);
      expect(relaxationBound).toBeGreaterThanOrEqual(utility);
    }
  });

  it('places ten thousand identical contexts', async () => {
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
    const { bound, utility, choices } = await dual.solve(problem);
    const rows = couplingRows(problem);
    expect(withinLimits(rows, totalUse(problem, rows, choices))).toBe(true);
    expect(gapOfSpan(bound, utility, baselineUtility(problem))).toBeLessThan(1e-3);
  });
});
