import { describe, expect, it } from 'vitest';
import { InfeasibleError } from '../../src/plan/infeasible.js';
import { planContexts, problemOf } from '../../src/plan/plan-contexts.js';
import type { Problem } from '../../src/plan/problem.js';
import { dual, exact, pricedPlan } from '../../src/plan/solvers/dual.js';
import { bruteForce } from '../support/brute-force.js';
import { TEST_MODEL, tier } from '../support/instances.js';
import { smallInstance } from '../support/small-instance.js';

const GB = 1e9;

/** A small instance in which nothing may be recomputed, and the tiers hold little more than the least that is stored. */
function tight(seed: number, withParents: boolean): Problem {
  const problem = smallInstance(seed, withParents ? 5 : 6, withParents);
  const { tiers, allowed } = problem;
  const total = problem.demand.fullBytes.reduce((sum, bytes) => sum + bytes, 0);
  const least = total * (withParents ? 0.2 + 0.04 * (seed % 9) : 0.06 + 0.02 * (seed % 9));
  const split = 0.2 + 0.1 * (seed % 7);
  return {
    ...problem,
    tiers: tiers.map((each, t) => ({ ...each, capacityBytes: least * (t === 0 ? split : 1 - split) })),
    allowed: allowed.map(() => (1 << tiers.length) - 1),
  };
}

async function foundBy(solve: () => unknown): Promise<boolean> {
  try {
    await solve();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(InfeasibleError);
    expect((error as InfeasibleError).isProved).toBe(true);
    return false;
  }
}

describe('a plan where everything has to be kept', () => {
  it.each([
    ['contexts', false],
    ['a tree', true],
  ])('of %s is found just where there is one', async (_, withParents) => {
    let possible = 0;
    for (let seed = 0; seed < 40; seed++) {
      const problem = tight(seed, withParents);
      const best = bruteForce(problem);
      const feasible = best > Number.NEGATIVE_INFINITY;
      if (feasible) possible++;
      for (const solve of [dual.solve, pricedPlan])
        expect(await foundBy(() => solve(problem))).toBe(feasible);
      if (feasible)
        expect((await exact.solve(problem)).utility).toBeGreaterThanOrEqual(best - 1e-9 * Math.abs(best));
    }
    expect(possible).toBeGreaterThan(10);
    expect(possible).toBeLessThan(35);
  });

  it('is found where a whole path has to change its form at once', async () => {
    const contexts = 6;
    const column = (value: number) => new Float64Array(contexts).fill(value);
    const demand = {
      contexts,
      ids: ['a', 'b', 'c', 'd', 'e', 'f'],
      tokens: column(7629),
      startTokens: Float64Array.from({ length: contexts }, (_, i) => i * 7629),
      fullBytes: column(GB),
      accesses: column(1),
      requestShare: column(1),
      parents: Int32Array.from([-1, 0, 1, 2, 3, 4]),
      classOf: new Int32Array(contexts).fill(-1),
      classes: [],
      tenantOf: new Int32Array(contexts).fill(-1),
      tenants: [],
      pins: new Map([[5, { tier: 'dram' }]]),
      periodSeconds: 3600,
    };
    const row = (method: string, compressionRatio: number, quality: number) => ({
      context: '*',
      fullBytes: GB,
      method,
      compressionRatio,
      storedBytes: (1 - compressionRatio) * GB,
      quality,
      queries: 5,
    });
    // The better form takes 3 GB of all six together. No single one may change: a path shares its lossy form.
    const request = {
      demand,
      tiers: [tier('dram', 2.9 * GB, 20 * GB)],
      model: TEST_MODEL,
      methods: [row('good', 0.5, 0.99), row('small', 0.8, 0.6)],
      alpha: 1e9,
    };
    expect(() => pricedPlan(problemOf(request))).not.toThrow();
    const { rows, header } = await planContexts(request);
    const methods = [...rows()].map(({ method }) => method).sort();
    expect(methods).toEqual(['none', 'none', 'small', 'small', 'small', 'small']);
    expect(header.summary.gap).toBe(0);
  });
});
