import { describe, expect, it } from 'vitest';
import { lruCurve, lruHitRate } from '../../src/replay/stack-distance.js';
import type { Trace } from '../../src/traces/trace.js';
import { bundledLog, traceOf } from '../traces/logs.js';
import { BLOCK_BYTES, model, run, tier } from './setting.js';

const bytesOf = (trace: Trace) =>
  Float64Array.from(trace.tokensOfBlock, (tokens) => tokens * model.kvBytesPerToken);

describe('the stack-distance pass', () => {
  it('gives what the replay gives, at every capacity', async () => {
    const trace = await bundledLog();
    const curve = lruCurve(trace, bytesOf(trace), Math.floor(trace.requests / 2));
    for (const blocks of [1, 60, 200, 1000, 5000, 20_000]) {
      const { result } = run('lru', { trace, tiers: [tier('dram', blocks)] });
      expect(lruHitRate(curve, blocks * BLOCK_BYTES)).toBeCloseTo(result.prefixHitRate, 12);
    }
    expect(curve.capacityBytes.every((at, i) => i === 0 || at > curve.capacityBytes[i - 1]!)).toBe(true);
  });

  it('gives every split over exclusive tiers', async () => {
    const trace = await bundledLog();
    const curve = lruCurve(trace, bytesOf(trace), Math.floor(trace.requests / 2));
    const unlimited = lruHitRate(curve, Number.POSITIVE_INFINITY);
    const at = (blocks: number) => lruHitRate(curve, blocks * BLOCK_BYTES);
    for (const [dram, ssd] of [
      [100, 900],
      [700, 4300],
    ] as const) {
      const { result } = run('lru', { trace, tiers: [tier('dram', dram), tier('ssd', ssd, 9e9)] });
      expect(at(dram) / unlimited).toBeCloseTo(result.hitShare.dram!, 12);
      expect((at(dram + ssd) - at(dram)) / unlimited).toBeCloseTo(result.hitShare.ssd!, 12);
    }
  });

  it('knows documents of any size, in one tier', () => {
    const docs = (...names: string[]) => ({
      documents: Object.fromEntries(names.map((name) => [name, 100 * (name.charCodeAt(0) - 96)])),
      inputTokens: 2000,
    });
    const trace = traceOf(
      [docs('a', 'b', 'c'), docs('d'), docs('a', 'd'), docs('e', 'b'), docs('c', 'a', 'e')],
      'documents',
    );
    const curve = lruCurve(trace, bytesOf(trace), 0);
    for (let tokens = 0; tokens <= 1600; tokens += 50) {
      const capacityBytes = tokens * model.kvBytesPerToken;
      const tiers = [{ ...tier('dram', 0), capacityBytes }];
      const { result } = run('lru', { trace, tiers, warm: 0 });
      expect(lruHitRate(curve, capacityBytes)).toBeCloseTo(result.prefixHitRate, 12);
    }
  });

  it('stands for blocks used twice in one request, and for prefixes that do not chain', () => {
    const trace = traceOf([
      { blocks: ['a', 'b', 'a'] },
      { blocks: ['b', 'a', 'c'] },
      { blocks: ['a', 'b', 'c'] },
    ]);
    const curve = lruCurve(trace, bytesOf(trace), 0);
    for (let blocks = 0; blocks <= 4; blocks++) {
      const { result } = run('lru', { trace, tiers: [tier('dram', blocks)], warm: 0 });
      expect(lruHitRate(curve, blocks * BLOCK_BYTES)).toBeCloseTo(result.prefixHitRate, 12);
    }
  });
});
