import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tier } from '../../src/formats/tiers.js';
import type { Trace } from '../../src/traces/trace.js';
import { bundledLog, treeLogs } from '../traces/logs.js';
import { row, run, tier } from './setting.js';

/** Replays by runs, and by blocks: with a level to choose, blocks may differ in size, and are treated one by one. */
function both(trace: Trace, tiers: readonly Tier[]) {
  return [
    run('lru', { trace, tiers }),
    run('lru', { trace, tiers, rows: [row('int8', 0.5, 0.99)] }),
  ] as const;
}

/** Blocks that an LRU cache of so many would serve of every request: a list, the next victim in front. */
function plainLru({ requests, blocks, blockOffsets }: Trace, capacity: number): number[] {
  const kept: number[] = [];
  return Array.from({ length: requests }, (_, r) => {
    const path = [...blocks.subarray(blockOffsets[r], blockOffsets[r + 1])];
    const missing = path.findIndex((block) => !kept.includes(block));
    for (const block of path.reverse()) {
      const at = kept.indexOf(block);
      if (at !== -1) kept.splice(at, 1);
      kept.push(block);
    }
    kept.splice(0, kept.length - capacity);
    return missing === -1 ? path.length : missing;
  });
}

describe('lru by runs', () => {
  it.each([[[1]], [[137]], [[40, 60]], [[100, 300]], [[3000, 20]], [[25, 400, 90]], [[500, null]]])(
    'does what lru does block by block (%j blocks)',
    async (sizes) => {
      const [byRun, byBlock] = both(
        await bundledLog(),
        sizes.map((blocks, i) => tier(`t${i}`, blocks, 20e9 / 2 ** i)),
      );
      expect(byRun.result).toEqual(byBlock.result);
      expect(byRun.store.tierOf).toEqual(byBlock.store.tierOf);
      expect(byRun.store.leftBytes).toEqual(byBlock.store.leftBytes);
    },
  );

  it('does so on any small log at any sizes', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 14 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(treeLogs, sizes, (trace, blocks) => {
        const [byRun, byBlock] = both(
          trace,
          blocks.map((size, i) => tier(`t${i}`, size, 20e9 / 2 ** i)),
        );
        expect(byRun.result).toEqual(byBlock.result);
        expect(byRun.scores).toEqual(byBlock.scores);
        expect(byRun.store.tierOf).toEqual(byBlock.store.tierOf);
        expect(byRun.store.writtenBytes).toEqual(byBlock.store.writtenBytes);
        expect(byRun.store.leftBytes).toEqual(byBlock.store.leftBytes);
      }),
      { numRuns: 300 },
    );
  });

  it('serves what a list of blocks would serve', () => {
    fc.assert(
      fc.property(treeLogs, fc.integer({ min: 1, max: 20 }), (trace, capacity) => {
        const { scores } = run('lru', { trace, tiers: [tier('dram', capacity)] });
        const tokens = plainLru(trace, capacity).map((blocks, r) =>
          Math.min(512 * blocks, trace.inputTokens[r]!),
        );
        expect([...scores.hitTokens]).toEqual(tokens);
      }),
      { numRuns: 300 },
    );
  });
});
