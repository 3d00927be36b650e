import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitCurves } from '../../src/plan/curves.js';
import { ReplayBound } from '../../src/replay/bound.js';
import { compressionOf } from '../../src/replay/compression.js';
import { LogFacts } from '../../src/replay/log-facts.js';
import type { Trace } from '../../src/traces/trace.js';
import { bundledLog, firstRequests, traceOf } from '../traces/logs.js';
import { model, row, run, type TestSetting, tier } from './setting.js';

const rows = [row('int8', 0.5, 0.99), row('int4', 0.75, 0.9), row('keydiff', 0.9, 0.6)];
const POLICIES = ['lru', 'lfu', 'belady', 'lru+int4', 'belady+int8', 'gdsf+keydiff', 's3-fifo'];

function boundOf(setting: TestSetting): ReplayBound {
  const { trace } = setting;
  return new ReplayBound({
    model,
    facts: new LogFacts(trace),
    warm: Math.floor(trace.requests / 2),
    ...setting,
    compression: compressionOf(trace, fitCurves(setting.rows ?? [])),
  });
}

function expectNothingBeats(setting: TestSetting): void {
  const bound = boundOf(setting);
  for (const policy of POLICIES) {
    const { result } = run(policy, setting);
    expect(result.prefixHitRate).toBeLessThanOrEqual(bound.prefixHitRate() + 1e-9);
    expect(result.ttft.mean).toBeGreaterThanOrEqual(bound.meanTtftSeconds(result.meanQuality) - 1e-9);
  }
}

/** Requests that walk a small tree of prefixes; their inputs may end inside the last block. */
const logs: fc.Arbitrary<Trace> = fc
  .array(
    fc.record({
      walk: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 5 }),
      lacking: fc.constantFrom(0, 0, 100, 511),
    }),
    { minLength: 2, maxLength: 24 },
  )
  .map((requests) =>
    traceOf(
      requests.map(({ walk, lacking }) => ({
        blocks: walk.map((_, i) => walk.slice(0, i + 1).join('/')),
        inputTokens: 512 * walk.length - lacking,
      })),
    ),
  );

describe('the bound', () => {
  it('is beaten by no policy on any small log', () => {
    fc.assert(
      fc.property(
        logs,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 0, max: 8 }),
        (trace, dram, ssd) => {
          expectNothingBeats({ trace, rows, tiers: [tier('dram', dram), tier('ssd', ssd, 5e9)] });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is beaten by no policy on a real log, and is what room for everything gives', async () => {
    const trace = firstRequests(await bundledLog(), 600);
    for (const blocks of [100, 700]) {
      expectNothingBeats({ trace, rows, tiers: [tier('dram', blocks), tier('ssd', 2 * blocks, 3e9)] });
    }
    // A floor that is asked of policy evicpress binds no other one.
    const objective = { alpha: 1, minQuality: 0.95 };
    expectNothingBeats({ trace, rows, tiers: [tier('ssd', null, 4e9)], objective });
    const tiers = [tier('dram', null)];
    const { result } = run('lru', { trace, tiers });
    expect(boundOf({ trace, tiers }).prefixHitRate()).toBeCloseTo(result.prefixHitRate, 12);
  });

  it('is below what room for everything gives where room is short', async () => {
    const trace = await bundledLog();
    const short = boundOf({ trace, tiers: [tier('dram', 500)] });
    const ample = boundOf({ trace, tiers: [tier('dram', null)] });
    expect(short.prefixHitRate()).toBeLessThan(0.8 * ample.prefixHitRate());
    expect(short.meanTtftSeconds(1)).toBeGreaterThan(ample.meanTtftSeconds(1));
  });

  it('holds for documents, which may be asked for twice in one request', () => {
    const docs = (...names: string[]) => ({
      documents: Object.fromEntries(names.map((name) => [name, 400 * (name.charCodeAt(0) - 96)])),
      inputTokens: 4000,
      again: names[0]!,
    });
    const trace = traceOf(
      [docs('a', 'b', 'c'), docs('d'), docs('a', 'd'), docs('e', 'b'), docs('c', 'a', 'e'), docs('b', 'd')],
      'documents',
    );
    for (const blocks of [1, 3, 5]) expectNothingBeats({ trace, rows, tiers: [tier('dram', blocks)] });
  });
});
