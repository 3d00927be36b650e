import { describe, expect, it } from 'vitest';
import { gapOfSpan } from '../../src/plan/baseline.js';
import { KEEP_NOTHING } from '../../src/plan/problem.js';
import { couplingRows, totalUse, withinLimits } from '../../src/plan/rows.js';
import { dual, exact } from '../../src/plan/solvers/dual.js';
import { solvers } from '../../src/plan/solvers/index.js';
import { anyParent, anyRate, anySize, type Hard, hardInstance } from '../support/hard-instance.js';

const GB = 1e9;
/** A few hot giants among many small ones, and a fast tier that holds about three of them. */
const giants: Hard = {
  contexts: 300,
  bytes: (i, random) => (i < 8 ? (3 + random()) * GB : 1e6 * (1 + random())),
  rate: (i, random) => (i < 8 ? 50 + random() : random()),
  capacities: () => [10.5 * GB, 15 * GB],
};

const loose: Hard = {
  contexts: 300,
  bytes: anySize,
  rate: anyRate,
  capacities: (total) => [total / 20, total / 5],
};

const IDENTICAL = 131_072_000;
const identical: Hard = {
  ...loose,
  contexts: 1000,
  bytes: () => IDENTICAL,
  rate: () => 3,
  classes: 1,
  capacities: () => [50.5 * IDENTICAL, 100.5 * IDENTICAL],
};

const threeFinite: Hard = { ...loose, capacities: (total) => [total / 50, total / 20, total / 5] };
const fourFinite: Hard = {
  ...loose,
  capacities: (total) => [total / 100, total / 50, total / 10],
  remoteBytes: 2 * GB,
};

const instances: readonly [name: string, hard: Hard][] = [
  ['a dozen contexts', { ...loose, contexts: 12 }],
  ['a few hot giants in a tiny tier', giants],
  ['a few hundred of any size', loose],
  ['a thousand of any size', { ...loose, contexts: 1000 }],
  ['ties', { ...loose, contexts: 1000, bytes: (i) => 1e8 * (1 + (i % 3)), rate: (i) => 1 + (i % 2) }],
  ['identical contexts', identical],
  ['contexts identical but for their class', { ...identical, classes: 8 }],
  ['no capacity at all', { ...loose, capacities: () => [0, 0] }],
  ['one tier without capacity', { ...loose, capacities: (total) => [0, total / 5] }],
  ['more capacity than everything', { ...loose, contexts: 1000, capacities: (total) => [2 * total, total] }],
  [
    'a hot context larger than every tier',
    {
      ...loose,
      bytes: (i, random) => (i === 0 ? 50 * GB : anySize(i, random)),
      rate: (i, random) => (i === 0 ? 500 : anyRate(i, random)),
      capacities: () => [2 * GB, 4 * GB],
    },
  ],
  ['a very slow remote', { ...loose, remote: 1e7, remoteLatency: 1 }],
  ['alpha 0', { ...loose, alpha: 0 }],
  ['a huge alpha', { ...loose, alpha: 1e6 }],
  [
    'numbers twelve orders of magnitude apart',
    {
      ...loose,
      bytes: (_, random) => Math.round(10 ** (3 + 9 * random())),
      rate: (_, random) => 10 ** (12 * random() - 6),
    },
  ],
  ['three finite tiers', threeFinite],
  ['four finite tiers', fourFinite],
  [
    'identical contexts and three finite tiers',
    { ...threeFinite, contexts: 200, bytes: () => IDENTICAL, rate: () => 3, classes: 1 },
  ],
  [
    'ties and three finite tiers',
    {
      ...threeFinite,
      contexts: 1000,
      bytes: (i) => 1e8 * (1 + (i % 3)),
      rate: (i) => 1 + (i % 2),
      seed: 1000,
    },
  ],
  [
    'tiny tiers, four of them finite',
    {
      ...loose,
      contexts: 1000,
      capacities: (total) => [total / 1000, total / 500, total / 100],
      remoteShare: 0.025,
      seed: 1000,
    },
  ],
  ['a small tree', { ...threeFinite, rate: (i) => 100 / (1 + i), parent: anyParent }],
  ['a tree', { ...loose, contexts: 1000, rate: (i) => 100 / (1 + i), parent: anyParent }],
];

describe('the hard regime', () => {
  it.each(instances)('%s: proved optimal', async (_, hard) => {
    const problem = hardInstance(hard);
    const { bound, utility, baseline } = await exact.solve(problem);
    expect(gapOfSpan(bound, utility, baseline)).toBeLessThanOrEqual(1e-12);
  });

  it.each(instances)('%s: keeps every limit, never worse than a greedy', async (_, hard) => {
    const problem = hardInstance(hard);
    const rows = couplingRows(problem);
    const best = await dual.solve(problem);
    expect(withinLimits(rows, totalUse(problem, rows, best.choices))).toBe(true);
    expect(best.bound).toBeGreaterThanOrEqual(best.utility - 1e-9 * Math.abs(best.utility));
    problem.demand.parents.forEach((parent, i) => {
      if (parent >= 0 && best.choices[i] !== KEEP_NOTHING)
        expect(best.choices[parent]).not.toBe(KEEP_NOTHING);
    });
    for (const { name, solve } of solvers) {
      if (!name.startsWith('greedy')) continue;
      const rough = (await solve(problem)).utility;
      expect(best.utility).toBeGreaterThanOrEqual(rough - 1e-12 * Math.abs(rough));
    }
  });
});
