import { describe, expect, it } from 'vitest';
import { EvicpressError } from '../../src/errors.js';
import { baselineUtility } from '../../src/plan/baseline.js';
import { planMeans } from '../../src/plan/make-plan.js';
import type { Problem } from '../../src/plan/problem.js';
import { couplingRows, totalUse, withinLimits } from '../../src/plan/rows.js';
import { fixedRule, kneeOf, leastSize, logSpaced } from '../../src/plan/sizing.js';
import { dual, pricedPlan } from '../../src/plan/solvers/dual.js';
import { Sweep, withCapacities } from '../../src/plan/sweep.js';
import { bruteForce } from '../support/brute-force.js';
import { ordinaryInstance } from '../support/instances.js';
import { smallInstance } from '../support/small-instance.js';

const problem = ordinaryInstance({ contexts: 500, seed: 4 });
const full = problem.demand.fullBytes.reduce((sum, bytes) => sum + bytes, 0);
const at = (dram: number) => problem.tiers.map((tier, t) => (t === 0 ? dram : tier.capacityBytes));
const sizes = logSpaced(Math.round(full / 500), Math.round(full), 8);

/** The same instance with limits beyond its tiers' own. */
function withConstraints(
  instance: Problem,
  { moneyPerMonth, bandwidthShare }: { moneyPerMonth?: number; bandwidthShare?: number },
): Problem {
  const perTier = (value: number) => new Float64Array(instance.tiers.length).fill(value);
  return {
    ...instance,
    tiers: instance.tiers.map((tier, t) => ({
      ...tier,
      moneyPerByte: (moneyPerMonth === undefined ? 0 : [4, 0.2, 0.02][t]!) / 1e9,
      bytesPerSecondBudget:
        bandwidthShare === undefined ? Number.POSITIVE_INFINITY : bandwidthShare / tier.secondsPerByte,
    })),
    ...(moneyPerMonth === undefined
      ? {}
      : {
          budgets: {
            tenantShares: [],
            writtenBytes: perTier(Number.POSITIVE_INFINITY),
            moneyPerMonth,
            charge: perTier(0),
          },
        }),
  };
}

/** Sum of the accesses, weighted by requestShare. */
function weightOf({ demand }: Problem): number {
  return demand.accesses.reduce((sum, f, i) => sum + f * demand.requestShare[i]!, 0);
}

describe('a sweep', () => {
  it('stays within 1e-3 of the span of a polished cold solve', async () => {
    const sweep = new Sweep(problem);
    for (const bytes of sizes.filter((_, k) => k % 2 === 1)) {
      const sized = sweep.at(at(bytes));
      const cold = await dual.solve(withCapacities(problem, at(bytes)));
      expect(Math.abs(sized.utility - cold.utility)).toBeLessThan(
        1e-3 * Math.abs(cold.utility - cold.baseline),
      );
      expect(sized.bound).toBeGreaterThanOrEqual(cold.utility - 1e-9 * Math.abs(cold.utility));
      expect(sized.usedBytes[0]).toBeLessThanOrEqual(bytes * (1 + 1e-12));
    }
  });

  it('finds the best plans of a handful of contexts', () => {
    for (let seed = 0; seed < 30; seed++) {
      const few = smallInstance(seed, 5, seed % 2 === 1);
      const sweep = new Sweep(few);
      for (const share of [0.3, 1]) {
        const capacities = few.tiers.map(({ capacityBytes }) => capacityBytes * share);
        const best = bruteForce(withCapacities(few, capacities));
        const { utility, bound } = sweep.at(capacities);
        expect(utility).toBeGreaterThanOrEqual(best - 1e-9 * Math.abs(best));
        expect(bound).toBeGreaterThanOrEqual(best - 1e-9 * Math.abs(best));
      }
    }
  });

  it('asks the Lagrangian less often than cold solves do', () => {
    const sweep = new Sweep(problem);
    const cold = sizes.reduce(
      (sum, bytes) => sum + pricedPlan(withCapacities(problem, at(bytes))).optimum.evaluations,
      0,
    );
    const warm = sizes.reduce((sum, bytes) => sum + sweep.at(at(bytes)).evaluations, 0);
    expect(warm).toBeLessThan(cold);
  });

  it('gains with every size, at falling prices', () => {
    const sweep = new Sweep(problem);
    const points = sizes.map((bytes) => sweep.at(at(bytes)));
    for (let k = 1; k < points.length; k++) {
      expect(points[k]!.bound).toBeGreaterThanOrEqual(
        points[k - 1]!.bound - 1e-9 * Math.abs(points[k]!.bound),
      );
      expect(points[k]!.prices[0]).toBeLessThanOrEqual(points[k - 1]!.prices[0]! * (1 + 1e-3));
    }
  });

  it.each([
    ['one tier', 9, 1, {}],
    ['both finite tiers', 4, 4, {}],
    ['one tier, with a budget and bandwidth shared', 4, 1, { moneyPerMonth: 900, bandwidthShare: 0.02 }],
  ])('along %s proves what each point proves by itself', (_, drams, ssds, constraints) => {
    const large = withConstraints(ordinaryInstance({ contexts: 5000, seed: 6 }), constraints);
    const total = large.demand.fullBytes.reduce((sum, bytes) => sum + bytes, 0);
    const sizesOf = (tier: number, points: number) =>
      points === 1
        ? [large.tiers[tier]!.capacityBytes]
        : logSpaced(Math.round(total / 200), Math.round(total / 2), points).reverse();
    const points = sizesOf(0, drams).flatMap((dram) =>
      sizesOf(1, ssds).map((ssd) => [dram, ssd, large.tiers[2]!.capacityBytes]),
    );
    let done = 0;
    const plans = new Sweep(large).along(points, () => done++);
    expect(done).toBe(points.length);
    plans.forEach((plan, k) => {
      const at = withCapacities(large, points[k]!);
      const { optimum, choices, utility } = pricedPlan(at);
      const span = optimum.bound - baselineUtility(at);
      expect(plan.capacities).toEqual(points[k]);
      expect(Math.abs(plan.bound - optimum.bound)).toBeLessThan(1e-6 * span);
      expect(plan.bound).toBeGreaterThanOrEqual(Math.max(plan.utility, utility) - 1e-9 * span);
      // Repair looks at other contexts than a solve of its own does, and may trade quality for time.
      expect(Math.abs(plan.utility - utility)).toBeLessThan(1e-4 * span);
      const { meanTtftSeconds, meanQuality } = planMeans(at, choices);
      expect(Math.abs(plan.meanTtftSeconds - meanTtftSeconds)).toBeLessThan(2e-3 * meanTtftSeconds);
      expect(Math.abs(plan.meanQuality - meanQuality)).toBeLessThan(1e-3);
      const worth = large.alpha * plan.meanQuality - plan.meanTtftSeconds;
      expect(Math.abs(worth * weightOf(large) - plan.utility)).toBeLessThan(1e-9 * Math.abs(plan.utility));
      plan.usedBytes.forEach((bytes, t) => {
        expect(bytes).toBeLessThanOrEqual(points[k]![t]! * (1 + 1e-12));
      });
    });
    expect(new Sweep(large).along(points)).toEqual(plans);
  });

  it('solves points where other limits bind one by one', () => {
    const large = ordinaryInstance({ contexts: 4000, seed: 6 });
    const total = large.demand.fullBytes.reduce((sum, bytes) => sum + bytes, 0);
    const points = [0, total / 50, 2 * total].map((dram) =>
      large.tiers.map((tier, t) => (t === 0 ? dram : tier.capacityBytes)),
    );
    const [none, some, all] = new Sweep(large).along(points);
    expect(none!.usedBytes[0]).toBe(0);
    expect(some!.utility).toBeGreaterThan(none!.utility);
    expect(all!.utility).toBeGreaterThan(some!.utility);
  });

  it('offers nothing of a tier without room', () => {
    expect(new Sweep(problem).at(at(0)).usedBytes[0]).toBe(0);
  });
});

describe('the knee', () => {
  it('is where the curve bends', () => {
    const points = [0, 1, 2, 3, 4, 5].map((cost) => ({ cost, utility: Math.min(cost, 2) }));
    expect(kneeOf(points)).toBe(2);
    expect(kneeOf([...points].reverse())).toBe(3);
  });

  it('is nowhere on a straight line or a level one', () => {
    expect(kneeOf([0, 1, 2, 3].map((cost) => ({ cost, utility: cost })))).toBeUndefined();
    expect(kneeOf([0, 1, 2, 3].map((cost) => ({ cost, utility: 1 })))).toBeUndefined();
  });
});

describe('the least size', () => {
  const refuse = () => new EvicpressError('too much');
  it('is found to within the precision, and holds', () => {
    const { bytes, found } = leastSize(
      1,
      1000,
      (size) => size,
      (size) => size >= 37,
      refuse,
    );
    expect(found).toBeGreaterThanOrEqual(37);
    expect(bytes).toBeLessThan(37 * 1.006);
  });
  it('is the low end where that is enough, and refused where nothing is', () => {
    expect(
      leastSize(
        5,
        10,
        (size) => size,
        () => true,
        refuse,
      ).bytes,
    ).toBe(5);
    expect(() =>
      leastSize(
        5,
        10,
        (size) => size,
        () => false,
        refuse,
      ),
    ).toThrow('too much');
  });
});

describe('a fixed rule', () => {
  it.each([-1, 0, 5])('keeps every limit and never beats the plan (form %i)', async (lossy) => {
    const choices = fixedRule(problem, lossy);
    const rows = couplingRows(problem);
    expect(withinLimits(rows, totalUse(problem, rows, choices))).toBe(true);
    const means = planMeans(problem, choices);
    const best = planMeans(problem, (await dual.solve(problem)).choices);
    const worth = ({ meanQuality, meanTtftSeconds }: typeof means) =>
      problem.alpha * meanQuality - meanTtftSeconds;
    expect(worth(means)).toBeLessThanOrEqual(worth(best) + 1e-9);
  });

  it('keeps a context only where its parent is kept', () => {
    const tree = ordinaryInstance({ contexts: 400, seed: 2, parents: 0.7 });
    const choices = fixedRule(tree, -1);
    tree.demand.parents.forEach((parent, i) => {
      if (parent >= 0 && choices[i] !== -1) expect(choices[parent]).not.toBe(-1);
    });
  });
});
