import { describe, expect, it } from 'vitest';
import type { Placement } from '../../src/formats/plan.js';
import { learnClassRules } from '../../src/plan/class-rules.js';
import type { Demand } from '../../src/plan/demand.js';

const CONTEXTS = [
  { class: 0, tenant: -1, tokens: 100, accesses: 6, method: 'int8', tier: 'ssd' },
  { class: 0, tenant: 0, tokens: 300, accesses: 2, method: 'none', tier: 'dram' },
  { class: -1, tenant: 0, tokens: 200, accesses: 1, method: 'none', tier: 'recompute' },
];

const numbers = (of: (row: (typeof CONTEXTS)[number]) => number) => Float64Array.from(CONTEXTS, of);

const DEMAND: Demand = {
  contexts: CONTEXTS.length,
  ids: ['a', 'b', 'c'],
  tokens: numbers(({ tokens }) => tokens),
  startTokens: new Float64Array(CONTEXTS.length),
  fullBytes: numbers(({ tokens }) => 10 * tokens),
  accesses: numbers(({ accesses }) => accesses),
  requestShare: numbers(() => 0.5),
  parents: new Int32Array(CONTEXTS.length).fill(-1),
  classOf: Int32Array.from(numbers((row) => row.class)),
  classes: ['manual'],
  tenantOf: Int32Array.from(numbers((row) => row.tenant)),
  tenants: ['acme'],
  periodSeconds: 60,
};

const ROWS = CONTEXTS.map(
  ({ tier, method, accesses, tokens }, i): Placement => ({
    context: DEMAND.ids[i]!,
    tier,
    method,
    compressionRatio: method === 'int8' ? 0.5 : 0,
    storedBytes: tier === 'recompute' ? 0 : 10 * tokens * (method === 'int8' ? 0.5 : 1),
    quality: method === 'int8' ? 0.9 : 1,
    ttftSeconds: 0,
    accesses,
  }),
);

describe('rules for contexts nobody has seen', () => {
  it('are one for all, one per class, one per tenant, stored as most of their reuse is', () => {
    const int8 = { method: 'int8', compressionRatio: 0.5, bytesFraction: 0.5, quality: 0.9 };
    const none = { method: 'none', compressionRatio: 0, bytesFraction: 1, quality: 1 };
    expect(learnClassRules(DEMAND, ROWS)).toEqual([
      { accesses: 3, requestTokens: (600 + 600 + 200) / 4.5, ...int8 },
      { class: 'manual', accesses: 4, requestTokens: 300, ...int8 },
      { tenant: 'acme', accesses: 1.5, requestTokens: (600 + 200) / 1.5, ...none },
    ]);
  });

  it('say nothing of a group that is recomputed as a whole', () => {
    const rows = ROWS.map((row) => ({ ...row, tier: 'recompute', storedBytes: 0 }));
    expect(learnClassRules(DEMAND, rows)).toEqual([]);
  });
});
