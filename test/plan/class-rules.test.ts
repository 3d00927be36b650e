import { describe, expect, it } from 'vitest';
import type { Demand } from '../../src/formats/demand.js';
import { learnClassRules } from '../../src/plan/class-rules.js';
import { planContexts } from '../../src/plan/plan-contexts.js';
import { KEEP_NOTHING } from '../../src/plan/problem.js';
import { TEST_MODEL, tier } from '../support/instances.js';

const CONTEXTS = [
  { class: 0, tenant: -1, tokens: 100, accesses: 6 },
  { class: 0, tenant: 0, tokens: 300, accesses: 2 },
  { class: -1, tenant: 0, tokens: 200, accesses: 1 },
];

const numbers = (of: (row: (typeof CONTEXTS)[number]) => number) => Float64Array.from(CONTEXTS, of);

const DEMAND: Demand = {
  contexts: CONTEXTS.length,
  ids: ['a', 'b', 'c'],
  tokens: numbers(({ tokens }) => tokens),
  startTokens: new Float64Array(CONTEXTS.length),
  fullBytes: numbers(({ tokens }) => 1000 * tokens),
  accesses: numbers(({ accesses }) => accesses),
  requestShare: numbers(() => 0.5),
  parents: new Int32Array(CONTEXTS.length).fill(-1),
  classOf: Int32Array.from(numbers((row) => row.class)),
  classes: ['manual'],
  tenantOf: Int32Array.from(numbers((row) => row.tenant)),
  tenants: ['acme'],
  pins: new Map([
    [0, { tier: 'ssd', method: 'int8' }],
    [1, { tier: 'dram', method: 'none' }],
    [2, { tier: 'recompute' }],
  ]),
  periodSeconds: 60,
};

const { problem, solution } = await planContexts({
  demand: DEMAND,
  tiers: [tier('dram', 1e9, 20e9), tier('ssd', null, 2e9)],
  model: TEST_MODEL,
  methods: [
    {
      context: '*',
      fullBytes: 1e6,
      method: 'int8',
      compressionRatio: 0.5,
      storedBytes: 5e5,
      quality: 0.9,
      queries: 5,
    },
  ],
  alpha: 1,
  solver: 'exact',
});

describe('rules for contexts nobody has seen', () => {
  it('are one for all, one per class, one per tenant, stored as most of their reuse is', () => {
    const int8 = { method: 'int8', compressionRatio: 0.5, bytesFraction: 0.5, quality: 0.9 };
    const none = { method: 'none', compressionRatio: 0, bytesFraction: 1, quality: 1 };
    expect(learnClassRules(problem, solution.choices)).toEqual([
      { accesses: 3, requestTokens: (600 + 600 + 200) / 4.5, ...int8 },
      { class: 'manual', accesses: 4, requestTokens: 300, ...int8 },
      { tenant: 'acme', accesses: 1.5, requestTokens: (600 + 200) / 1.5, ...none },
    ]);
  });

  it('say nothing where all is recomputed', () => {
    expect(learnClassRules(problem, new Int32Array(CONTEXTS.length).fill(KEEP_NOTHING))).toEqual([]);
  });
});
