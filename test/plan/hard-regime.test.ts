import { describe, expect, it } from 'vitest';
import { gapOfSpan } from '../../src/plan/baseline.js';
import { fitCurves } from '../../src/plan/curves.js';
import type { Demand } from '../../src/plan/demand.js';
import { buildProblem, KEEP_NOTHING, type Problem } from '../../src/plan/problem.js';
import { couplingRows, totalUse, withinLimits } from '../../src/plan/rows.js';
import { dual, exact } from '../../src/plan/solvers/dual.js';
import { solvers } from '../../src/plan/solvers/index.js';
import { classRows, RATIOS, randomFrom, TEST_MODEL, tier } from '../support/instances.js';

interface Hard {
  readonly contexts: number;
  readonly bytes: (i: number, random: () => number) => number;
  readonly rate: (i: number, random: () => number) => number;
  /** Capacities of the finite tiers, fast to slow, given all bytes. */
  readonly capacities: (total: number) => readonly number[];
  readonly alpha?: number;
  /** Bytes per second, seconds and capacity of the slowest tier. */
  readonly remote?: number;
  readonly remoteLatency?: number;
  readonly remoteBytes?: number;
  readonly classes?: number;
  readonly parent?: (i: number, random: () => number) => number;
}

const GB = 1e9;
const anySize = (_: number, random: () => number) => Math.round(10 ** (6 + 3 * random()));
const anyRate = (_: number, random: () => number) => 10 ** (3 * random() - 1);

function hardInstance({
  contexts,
  bytes,
  rate,
  capacities,
  alpha = 1,
  remote = 1e9,
  remoteLatency = 0.02,
  remoteBytes,
  classes = 8,
  parent,
}: Hard): Problem {
  const random = randomFrom(17);
  const fullBytes = Float64Array.from({ length: contexts }, (_, i) => bytes(i, random));
  const demand: Demand = {
    contexts,
    ids: Array.from({ length: contexts }, (_, i) => `c${i}`),
    tokens: fullBytes.map((size) => size / TEST_MODEL.kvBytesPerToken),
    startTokens: new Float64Array(contexts),
    fullBytes,
    accesses: Float64Array.from({ length: contexts }, (_, i) => rate(i, random)),
    requestShare: new Float64Array(contexts).fill(1),
    parents: Int32Array.from({ length: contexts }, (_, i) => parent?.(i, random) ?? -1),
    classOf: Int32Array.from({ length: contexts }, () => Math.floor(random() * classes)),
    classes: Array.from({ length: 8 }, (_, c) => `class-${c}`),
    tenantOf: new Int32Array(contexts).fill(-1),
    tenants: [],
    periodSeconds: 100,
  };
  const total = fullBytes.reduce((sum, size) => sum + size, 0);
  const tiers = [
    ...capacities(total).map((capacity, t) =>
      tier(`tier-${t}`, Math.round(capacity), 20e9 / 4 ** t, 0.001 * (t + 1)),
    ),
    tier('remote', remoteBytes ?? null, remote, remoteLatency),
  ];
  const methods = fitCurves(classRows(8, 2, RATIOS, random));
  return buildProblem(demand, tiers, TEST_MODEL, methods, { alpha });
}

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

const proved: readonly [name: string, hard: Hard][] = [
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
];

const merelyGood: readonly [name: string, hard: Hard][] = [
  ...proved,
  ['three finite tiers', threeFinite],
  ['four finite tiers', fourFinite],
  [
    'a tree',
    {
      ...loose,
      contexts: 1000,
      rate: (i) => 100 / (1 + i),
      parent: (i, random) => (i > 0 && random() < 0.9 ? Math.floor(random() * i) : -1),
    },
  ],
];

describe('the hard regime', () => {
  it.each(proved)('%s: proved optimal', (_, hard) => {
    const problem = hardInstance(hard);
    const { bound, utility, baseline } = exact.solve(problem);
    expect(gapOfSpan(bound, utility, baseline)).toBeLessThanOrEqual(1e-12);
  });

  it.each(merelyGood)('%s: keeps every limit, never worse than a greedy', (_, hard) => {
    const problem = hardInstance(hard);
    const rows = couplingRows(problem);
    const best = dual.solve(problem);
    expect(withinLimits(rows, totalUse(problem, rows, best.choices))).toBe(true);
    expect(best.bound).toBeGreaterThanOrEqual(best.utility - 1e-9 * Math.abs(best.utility));
    problem.demand.parents.forEach((parent, i) => {
      if (parent >= 0 && best.choices[i] !== KEEP_NOTHING)
        expect(best.choices[parent]).not.toBe(KEEP_NOTHING);
    });
    for (const { name, solve } of solvers) {
      if (!name.startsWith('greedy')) continue;
      const rough = solve(problem).utility;
      expect(best.utility).toBeGreaterThanOrEqual(rough - 1e-12 * Math.abs(rough));
    }
  });
});
