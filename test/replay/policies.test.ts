import { describe, expect, it } from 'vitest';
import { policies } from '../../src/replay/policies/index.js';
import { bundledLog, firstRequests, traceOf } from '../traces/logs.js';
import { row, run, tier } from './setting.js';

const rows = [
  row('int8', 0.5, 0.99),
  row('int4', 0.75, 0.94),
  row('keydiff', 0.5, 0.97),
  row('keydiff', 0.9, 0.8),
];

/** Enough of a real log to fill the caches many times over. */
const log = async () => firstRequests(await bundledLog(), 400);

describe.each(policies.map(({ name }) => name))('policy %s', (name) => {
  const tiers = [tier('dram', 100), tier('ssd', 300, 5e9)];

  it.each(['', '+int4'])('loses no byte, keeps to its room and does the same twice (%s)', async (how) => {
    const trace = await log();
    const { store, result } = run(`${name}${how}`, { trace, tiers, rows });
    tiers.forEach((_, t) => {
      expect(store.writtenBytes[t]! - store.leftBytes[t]!).toBeCloseTo(store.usedBytes[t]!, 0);
      expect(store.usedBytes[t]!).toBeLessThanOrEqual(store.capacityBytes[t]!);
    });
    const resident = store.tierOf.reduce(
      (sum, t, block) => (t < 0 ? sum : sum + store.storedBytes[block]!),
      0,
    );
    expect(resident).toBeCloseTo(store.usedBytes[0]! + store.usedBytes[1]!, 0);
    if (how === '') expect(run(name, { trace, tiers, rows }).result).toEqual(result);
  });

  it('without compression serves no more than belady, and belady no more than room for everything', async () => {
    const trace = await log();
    const rate = (policy: string, blocks: number | null) =>
      run(policy, { trace, tiers: [tier('dram', blocks)] }).result.prefixHitRate;
    for (const blocks of [100, 1000]) {
      const belady = rate('belady', blocks);
      expect(rate(name, blocks)).toBeLessThanOrEqual(belady + 1e-12);
      expect(belady).toBeLessThanOrEqual(rate('lru', null));
    }
  });

  it('survives requests longer than every tier, repeated blocks and equal time stamps', () => {
    const long = { blocks: Array.from({ length: 30 }, (_, i) => `b${i}`), seconds: 0 };
    const trace = traceOf([
      long,
      long,
      { blocks: ['b0', 'x', 'b0'], seconds: 0 },
      { blocks: [], seconds: 0 },
      long,
    ]);
    const { store } = run(name, { trace, tiers: [tier('dram', 3), tier('ssd', 4)], rows, warm: 0 });
    expect(store.usedBytes[0]!).toBeLessThanOrEqual(store.capacityBytes[0]!);
  });
});

describe('lfu', () => {
  it('keeps what is used often, and forgets with its half-life', () => {
    const often = Array.from({ length: 6 }, () => ({ blocks: ['a'] }));
    const later = Array.from({ length: 40 }, (_, i) => ({ blocks: [i % 2 ? 'b' : `once${i}`] }));
    const trace = traceOf([...often, ...later]);
    const kept = (half: string) => {
      const { store } = run(`lfu@${half}`, { trace, tiers: [tier('dram', 1)] });
      return trace.blockIds[store.tierOf.indexOf(0)];
    };
    expect(kept('unlimited')).toBe('b');
    expect(kept('2')).toBe('b');
    expect(() => run('lfu@0', { trace, tiers: [] })).toThrow(/half-life in requests above 0/);
    expect(() => run('lru@5', { trace, tiers: [] })).toThrow(/takes no number/);
  });
});

describe('s3-fifo', () => {
  it('lets a scan pass by what is used again', () => {
    const hot = { blocks: ['h'] };
    const trace = traceOf([
      hot,
      hot,
      hot,
      ...Array.from({ length: 40 }, (_, i) => ({ blocks: [`s${i}`] })),
      hot,
    ]);
    expect(run('s3-fifo', { trace, tiers: [tier('dram', 10)] }).scores.hitTokens.at(-1)).toBe(512);
    expect(run('lru', { trace, tiers: [tier('dram', 10)] }).scores.hitTokens.at(-1)).toBe(0);
  });
});

describe('arc', () => {
  it('gives room to what its ghosts show to be missing', () => {
    const pair = [{ blocks: ['a'] }, { blocks: ['b'] }];
    const trace = traceOf([
      ...pair,
      ...pair,
      ...Array.from({ length: 20 }, (_, i) => ({ blocks: [`s${i}`] })),
      ...pair,
    ]);
    const { scores } = run('arc', { trace, tiers: [tier('dram', 4)] });
    expect([...scores.hitTokens.slice(-2)]).toEqual([512, 512]);
  });
});

describe('gdsf', () => {
  it('keeps small caches longer', () => {
    const trace = traceOf([
      { blocks: ['small'], class: 'squeezed' },
      { blocks: ['a'] },
      { blocks: ['b'] },
      { blocks: ['c'] },
      { blocks: ['d'] },
      { blocks: ['small'], class: 'squeezed' },
    ]);
    const squeezed = [row('int4', 0.75, 0.97, { class: 'squeezed' }), row('int4', 0.75, 0.5)];
    const hits = (policy: string) =>
      run(`${policy}+class-rule@0.9`, {
        trace,
        tiers: [tier('dram', 2)],
        rows: squeezed,
      }).scores.hitTokens.at(-1);
    expect(hits('gdsf')).toBe(512);
    expect(hits('lru')).toBe(0);
  });
});

describe('impress', () => {
  it('saves loading, not room', async () => {
    const trace = await bundledLog();
    const tiers = [tier('dram', 500)];
    const whole = run('impress', { trace, tiers, rows });
    const half = run('impress+keydiff@0.5', { trace, tiers, rows });
    expect(half.scores.hitTokens).toEqual(whole.scores.hitTokens);
    expect(half.store.usedBytes).toEqual(whole.store.usedBytes);
    expect(half.result.bytesRead.dram!).toBeLessThan(0.6 * whole.result.bytesRead.dram!);
    expect(half.result.meanQuality).toBeLessThan(1);
  });
});

describe('greedy placement', () => {
  const trace = traceOf([{ blocks: ['a'] }, { blocks: ['b'] }, { blocks: ['a'] }, { blocks: ['b'] }]);
  const tiers = [tier('dram', 1), tier('ssd', 1, 10e9)];

  it('keeps whole what quality is worth much for, and compresses where it is worth little', () => {
    for (const policy of ['adaptcache', 'evicpress-greedy']) {
      const dear = run(policy, { trace, tiers, rows, warm: 2, objective: { alpha: 1000 } });
      expect(dear.result.meanQuality).toBe(1);
      expect(dear.result.hitShare).toEqual({ dram: 0.5, ssd: 0.5 });
      const cheap = run(policy, { trace, tiers, rows, warm: 2, objective: { alpha: 1e-6 } });
      expect(cheap.result.meanQuality).toBe(0.8);
      expect(cheap.result.hitShare.dram).toBe(1);
    }
  });

  it('recomputes in evicpress-greedy where no tier is faster', () => {
    const slow = [tier('nfs', null, 1e6)];
    const { store } = run('evicpress-greedy', { trace, tiers: slow, warm: 0 });
    expect(store.usedBytes[0]).toBe(0);
  });

  it('keeps no context without the one it hangs on', async () => {
    const trace = await log();
    for (const policy of ['adaptcache', 'evicpress-greedy']) {
      const { store } = run(policy, { trace, tiers: [tier('dram', 100), tier('ssd', 200, 5e9)], rows });
      for (let r = 0; r < trace.requests; r++) {
        for (let k = trace.blockOffsets[r]! + 1; k < trace.blockOffsets[r + 1]!; k++) {
          if (store.tierOf[trace.blocks[k]!]! >= 0)
            expect(store.tierOf[trace.blocks[k - 1]!]!).toBeGreaterThanOrEqual(0);
        }
      }
    }
  });
});
