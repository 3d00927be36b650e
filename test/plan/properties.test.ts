import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { baselineUtility } from '../../src/plan/baseline.js';
import type { Problem } from '../../src/plan/problem.js';
import { pickContexts } from '../../src/plan/sample.js';
import { dual, exact } from '../../src/plan/solvers/dual.js';
import { ordinaryInstance, randomFrom } from '../support/instances.js';
import { smallInstance } from '../support/small-instance.js';

const CONTEXTS = 6;

interface Optimum {
  readonly utility: number;
  /** What differences of it are mere rounding. */
  readonly rounding: number;
}

async function optimum(problem: Problem): Promise<Optimum> {
  const { utility, bound } = await exact.solve(problem);
  return { utility, rounding: 1e-9 * Math.max(1e-9, Math.abs(utility), bound - baselineUtility(problem)) };
}

/** Solves an instance and what is made of it, for many seeds. */
function forEverySeed(
  change: (problem: Problem, random: () => number) => Problem,
  check: (before: Optimum, after: Optimum) => void,
): Promise<void> {
  return fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 1e6 }), async (seed) => {
      const problem = smallInstance(seed, CONTEXTS, false);
      check(await optimum(problem), await optimum(change(problem, randomFrom(seed + 1))));
    }),
    { numRuns: 100, seed: 11 },
  );
}

const notLower = (before: Optimum, after: Optimum) =>
  expect(after.utility).toBeGreaterThanOrEqual(before.utility - before.rounding);

/** Contexts in another order. */
function shuffled(problem: Problem, random: () => number): Problem {
  const order = Int32Array.from(problem.curveOf.keys());
  for (let k = order.length - 1; k > 0; k--) {
    const other = Math.floor(random() * (k + 1));
    [order[k], order[other]] = [order[other]!, order[k]!];
  }
  return pickContexts(problem, order);
}

function ratesTimes(problem: Problem, factor: number): Problem {
  const accesses = problem.demand.accesses.map((rate) => rate * factor);
  return { ...problem, demand: { ...problem.demand, accesses } };
}

describe('the optimum', () => {
  it('is not lower with more capacity', async () => {
    await forEverySeed(
      (problem) => ({
        ...problem,
        tiers: problem.tiers.map((tier) => ({ ...tier, capacityBytes: tier.capacityBytes * 1.5 })),
      }),
      notLower,
    );
  });

  it('is not lower with lower latency or more bandwidth', async () => {
    await forEverySeed(
      (problem, random) => ({
        ...problem,
        tiers: problem.tiers.map((tier) => ({
          ...tier,
          latencySeconds: tier.latencySeconds * random(),
          secondsPerByte: tier.secondsPerByte * (0.2 + 0.8 * random()),
        })),
      }),
      notLower,
    );
  });

  it('is not lower with more options', async () => {
    // The other way round: with one form fewer it is not higher.
    await forEverySeed(
      (problem, random) => withoutForm(problem, random),
      (before, after) => notLower(after, before),
    );
  });

  it('is the same in any order of contexts', async () => {
    await forEverySeed(shuffled, (before, after) =>
      expect(Math.abs(after.utility - before.utility)).toBeLessThanOrEqual(before.rounding),
    );
  });

  it.each([1e-6, 3, 1e6])('grows with all rates alike (%d times)', async (factor) => {
    await forEverySeed(
      (problem) => ratesTimes(problem, factor),
      (before, after) =>
        expect(Math.abs(after.utility / factor - before.utility)).toBeLessThanOrEqual(before.rounding),
    );
  });
});

/** Every curve without one of its lossy forms, as if it were worth nothing. */
function withoutForm(problem: Problem, random: () => number): Problem {
  const { forms } = problem;
  const lost = Math.floor(random() * forms.storedBytes.length);
  // Whole and of no quality a form is never better than the uncompressed cache, which every curve has.
  const lossy = forms.lossyOf[lost]! >= 0;
  const changed = (column: Float64Array, value: number) =>
    column.map((old, form) => (lossy && form === lost ? value : old));
  return {
    ...problem,
    forms: {
      ...forms,
      storedBytes: changed(forms.storedBytes, 1),
      ofBytes: changed(forms.ofBytes, 1),
      quality: changed(forms.quality, 0),
    },
  };
}

describe('a plan', () => {
  const problem = ordinaryInstance({ contexts: 300, seed: 5, shares: [0.03, 0.06] });

  it('is the same for the same instance, whatever its contexts are called', async () => {
    const renamed = {
      ...problem,
      demand: { ...problem.demand, ids: problem.demand.ids.map((id) => `other-${id}`) },
    };
    const { choices } = await dual.solve(problem);
    expect((await dual.solve(problem)).choices).toEqual(choices);
    expect((await dual.solve(renamed)).choices).toEqual(choices);
  });

  it('has the same bound in any order of contexts, and is worth the same', async () => {
    const before = await dual.solve(problem);
    const after = await dual.solve(shuffled(problem, randomFrom(2)));
    const span = before.bound - before.baseline;
    expect(Math.abs(after.relaxationBound - before.relaxationBound)).toBeLessThan(1e-9 * span);
    expect(Math.abs(after.utility - before.utility)).toBeLessThan(1e-6 * span);
  });
});
