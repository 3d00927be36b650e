import { describe, expect, it } from 'vitest';
import { EvicpressError } from '../../src/errors.js';
import { bundledLog, traceOf } from '../traces/logs.js';
import { BLOCK_BYTES, row, run, tier } from './setting.js';

const abc = (n: number) => ['a', 'b', 'c'].slice(0, n);

describe('what a request finds', () => {
  it('is the longest cached prefix, clipped to its input', () => {
    const trace = traceOf([
      { blocks: abc(3), inputTokens: 1500 },
      { blocks: abc(3), inputTokens: 1500 },
    ]);
    const { result, scores } = run('lru', { trace, tiers: [tier('dram', null)], warm: 1 });
    expect(scores.hitTokens[1]).toBe(1500);
    expect(result.prefixHitRate).toBe(1);
    expect(result.hitShare.dram).toBe(1);
  });

  it('is recomputed where loading would be slower', () => {
    const trace = traceOf([{ blocks: abc(3) }, { blocks: abc(3) }]);
    const slow = tier('disk', null, 1e6);
    const { result, scores } = run('lru', { trace, tiers: [slow], warm: 1 });
    expect(scores.hitTokens[1]).toBe(1536);
    expect(scores.loadedTokens[1]).toBe(0);
    expect(result.recomputedHitShare).toBe(1);
    expect(result.ttft.mean).toBeCloseTo(2e-5 * 1536 + 8e-10 * 1536 ** 2, 12);
  });

  it('is loaded as far as the input reaches, and to the middle of a block where that pays', () => {
    const tokens = [1536, 512, 512 + 500, 512 + 10];
    for (const policy of ['lru', 'lfu']) {
      for (const rows of [undefined, [row('int4', 0.5, 0.9)]]) {
        const trace = traceOf(tokens.map((inputTokens) => ({ blocks: abc(3), inputTokens })));
        const tiers = [{ ...tier('disk', null, 8e9), read: { latencySeconds: 0, bytesPerSecond: 8e9 } }];
        const { scores } = run(policy, { trace, tiers, rows, warm: 1 });
        expect([...scores.loadedBytesOfTier].slice(1)).toEqual([1, 2, 1].map((n) => n * BLOCK_BYTES));
        expect([...scores.hitTokens].slice(1)).toEqual(tokens.slice(1));
        expect([...scores.loadedTokens].slice(1)).toEqual([512, 1012, 512]);
      }
    }
  });

  it('costs latency once per tier and bytes by bandwidth', () => {
    const trace = traceOf([{ blocks: abc(3) }, { blocks: abc(3) }]);
    const { result } = run('lru', { trace, tiers: [tier('dram', 2), tier('disk', 10, 10e9)], warm: 1 });
    expect(result.ttft.mean).toBeCloseTo(1e-3 + (2 * BLOCK_BYTES) / 20e9 + 1e-3 + BLOCK_BYTES / 10e9, 12);
    expect(result.hitShare.dram).toBeCloseTo(2 / 3, 12);
    expect(result.hitShare.disk).toBeCloseTo(1 / 3, 12);
  });
});

describe('tiered lru', () => {
  it('keeps heads before tails and promotes what is used', () => {
    const trace = traceOf([{ blocks: abc(3) }, { blocks: ['x'] }, { blocks: abc(3) }]);
    const { store } = run('lru', { trace, tiers: [tier('dram', 2), tier('disk', 2)], warm: 0 });
    expect([...store.tierOf]).toEqual([0, 0, 1, 1]);
  });

  it('drops the tail of a request that is longer than every tier', () => {
    const trace = traceOf([{ blocks: ['a', 'b', 'c', 'd', 'e'] }]);
    const { store } = run('lru', { trace, tiers: [tier('dram', 1), tier('disk', 2)], warm: 0 });
    expect([...store.tierOf]).toEqual([0, 1, 1, -1, -1]);
  });
});

describe('compressed caches', () => {
  const rows = [row('int4', 0.75, 0.9), row('keydiff', 0.5, 0.8), row('keydiff', 0.7, 0.6)];
  const trace = traceOf([{ blocks: abc(3) }, { blocks: abc(3) }]);
  const tiers = [tier('dram', 1)];

  it('take less room and cost quality', () => {
    const { result, store } = run('lru+int4', { trace, tiers, rows, warm: 1 });
    expect(store.usedBytes[0]).toBe((3 * BLOCK_BYTES) / 4);
    expect(result.prefixHitRate).toBe(1);
    expect(result.meanQuality).toBe(0.9);
  });

  it('have the quality of their class', () => {
    const classed = traceOf([
      { blocks: abc(1), class: 'code' },
      { blocks: abc(1), class: 'code' },
    ]);
    const code = [...rows, row('int4', 0.75, 0.7, { class: 'code' })];
    expect(run('lru+int4', { trace: classed, tiers, rows: code, warm: 1 }).result.meanQuality).toBe(0.7);
    expect(run('lru+keydiff@0.5', { trace: classed, tiers, rows: code, warm: 1 }).result.meanQuality).toBe(
      0.8,
    );
  });

  it('take the profiled ratio within .01 and no other', () => {
    expect(run('lru+keydiff@0.705', { trace, tiers, rows }).result.policy).toBe('lru+keydiff@0.705');
    expect(() => run('lru+keydiff@0.6', { trace, tiers, rows })).toThrow(/Profiled: 0\.5, 0\.7/);
    expect(() => run('lru+keydiff', { trace, tiers, rows })).toThrow(/keydiff@0\.5, keydiff@0\.7/);
    expect(() => run('lru+int5', { trace, tiers, rows })).toThrow(/Did you mean int4/);
    expect(() => run('lru+int4', { trace, tiers })).toThrow(EvicpressError);
    expect(() => run('lrru', { trace, tiers })).toThrow(/Unknown policy "lrru"\. Did you mean lru\?/);
  });
});

describe('queues', () => {
  it('make requests wait for one engine, not for two', () => {
    const trace = traceOf([
      { blocks: ['a'], seconds: 0 },
      { blocks: ['b'], seconds: 0 },
    ]);
    const prefill = 2e-5 * 512 + 8e-10 * 512 ** 2;
    const means = [1, 2].map(
      (engines) => run('full-prefill', { trace, tiers: [], warm: 0, engines }).result.ttft.mean,
    );
    expect(means[0]).toBeCloseTo(1.5 * prefill, 12);
    const many = run('full-prefill', { trace, tiers: [], warm: 0, engines: 1e12 }).result;
    expect(many.ttft.mean).toBe(means[1]);
    expect(means[1]).toBeCloseTo(prefill, 12);
  });

  it('give loads at once what was measured for as many streams, and no more than the best total', () => {
    const together = Array.from({ length: 3 }, () => ({ blocks: ['a'], seconds: 100 }));
    const trace = traceOf([{ blocks: ['a'], seconds: 0 }, ...together]);
    const byStreams = [
      { streams: 1, bytesPerSecond: 40e9 },
      { streams: 2, bytesPerSecond: 60e9 },
      { streams: 4, bytesPerSecond: 60e9 },
    ];
    const read = { latencySeconds: 0, bytesPerSecond: 40e9, byStreams };
    const tiers = [{ ...tier('disk', 5), read }];
    const { scores } = run('lru', { trace, tiers, warm: 1, engines: 3 });
    const seconds = [...scores.ttftSeconds.slice(1)].map((ttft) => (ttft * 60e9) / BLOCK_BYTES);
    expect(seconds[0]).toBeCloseTo(6 / 4, 9);
    expect(seconds[1]).toBeCloseTo(2, 9);
    expect(seconds[2]).toBeCloseTo(3, 9);
  });

  it('mark a policy as saturated', () => {
    const trace = traceOf(Array.from({ length: 50 }, (_, i) => ({ blocks: [`b${i}`], seconds: i / 100 })));
    const { result } = run('full-prefill', { trace, tiers: [], warm: 0, engines: 1 });
    expect(result.utilization).toBeGreaterThan(0.95);
    expect(result.saturated).toBe(true);
  });
});

describe('on a real log', () => {
  const sizes = [50, 400, 3000];

  it('no byte is lost', async () => {
    const trace = await bundledLog();
    for (const policy of ['lru', 'belady']) {
      const { store } = run(policy, { trace, tiers: [tier('dram', 100), tier('disk', 300)] });
      for (const t of [0, 1]) {
        expect(store.writtenBytes[t]! - store.leftBytes[t]!).toBe(store.usedBytes[t]);
        expect(store.usedBytes[t]!).toBeLessThanOrEqual(store.capacityBytes[t]!);
      }
      let resident = 0;
      store.tierOf.forEach((t, block) => {
        if (t >= 0) resident += store.storedBytes[block]!;
      });
      expect(resident).toBe(store.usedBytes[0]! + store.usedBytes[1]!);
    }
  });

  it('hits never exceed what no limit gives, nor belady; more room never hurts lru', async () => {
    const trace = await bundledLog();
    const rate = (policy: string, blocks: number | null) =>
      run(policy, { trace, tiers: [tier('dram', blocks)] }).result.prefixHitRate;
    const unlimited = rate('lru', null);
    let before = 0;
    for (const blocks of sizes) {
      const lru = rate('lru', blocks);
      const best = rate('belady', blocks);
      expect(lru).toBeGreaterThanOrEqual(before);
      expect(best).toBeGreaterThanOrEqual(lru);
      expect(unlimited).toBeGreaterThanOrEqual(best);
      before = lru;
    }
  });

  it('two exclusive tiers serve what one of their size does', async () => {
    const trace = await bundledLog();
    for (const policy of ['lru', 'belady']) {
      const split = run(policy, { trace, tiers: [tier('dram', 300), tier('disk', 700)] });
      const whole = run(policy, { trace, tiers: [tier('dram', 1000)] });
      expect(split.scores.hitTokens).toEqual(whole.scores.hitTokens);
    }
  });
});
