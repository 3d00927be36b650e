import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { totalUtility } from '../../src/plan/baseline.js';
import { solveCore } from '../../src/plan/branching/solve-core.js';
import { KEEP_NOTHING } from '../../src/plan/problem.js';
import { solveRelaxation } from '../../src/plan/relaxation.js';
import { totalUse, withinLimits } from '../../src/plan/rows.js';
import { bruteForce } from '../support/brute-force.js';
import { smallInstance } from '../support/small-instance.js';

describe('a core as an integer program', () => {
  it.each([
    { withParents: false, contexts: 5 },
    { withParents: true, contexts: 4 },
  ])(
    'ends at the optimum of brute force, from a plan that keeps nothing (%o)',
    async ({ withParents, contexts }) => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: 1e6 }), async (seed) => {
          const problem = smallInstance(seed, contexts, withParents, 1);
          const { rows, optimum } = solveRelaxation(problem);
          const nothing = new Int32Array(contexts).fill(KEEP_NOTHING);
          const span = Math.max(1e-12, optimum.bound - totalUtility(problem, nothing));
          const { choices = nothing, gap } = await solveCore(problem, rows, optimum.prices, nothing, {
            rounding: 1e-13 * span,
            options: Number.POSITIVE_INFINITY,
          });
          expect(withinLimits(rows, totalUse(problem, rows, choices))).toBe(true);
          const best = bruteForce(problem);
          expect(Math.abs(totalUtility(problem, choices) - best)).toBeLessThanOrEqual(1e-9 * span);
          expect(gap).toBeLessThanOrEqual(1e-9 * span);
        }),
        { numRuns: 60, seed: 5 },
      );
    },
  );
});
