import { describe, expect, it } from 'vitest';
import type { MethodRow } from '../../src/formats/methods.js';
import { assignClasses } from '../../src/traces/assign-classes.js';
import type { Trace } from '../../src/traces/trace.js';
import { THREE_CLASSES, TWO_CLASSES } from '../bench/policy/profile.js';
import { replayed, tierOf } from '../bench/policy/setting.js';
import {
  loop,
  popularAmongOnce,
  retrieval,
  zipfWithDrift,
  zipfWithScans,
} from '../bench/policy/synthetic.js';
import { branchingAgents, deployments } from '../bench/policy/workloads.js';
import { bundledLog } from '../traces/logs.js';
import { row, run, tier } from './setting.js';

describe('policy evicpress', () => {
  it('without compression stays within .01 of lru, loses no byte, and does the same twice', async () => {
    const trace = await bundledLog();
    for (const blocks of [200, 1000, 5000]) {
      const tiers = [tier('dram', blocks / 4), tier('ssd', blocks, 5e9)];
      const lru = run('lru', { trace, tiers }).result;
      const { result, store } = run('evicpress', { trace, tiers });
      expect(result.prefixHitRate).toBeGreaterThanOrEqual(lru.prefixHitRate - 0.01);
      for (const t of [0, 1]) {
        expect(store.writtenBytes[t]! - store.leftBytes[t]!).toBe(store.usedBytes[t]);
        expect(store.usedBytes[t]!).toBeLessThanOrEqual(store.capacityBytes[t]!);
      }
      expect(run('evicpress', { trace, tiers }).result).toEqual(result);
    }
  });

  it('without compression is never more than .01 below the better of lru and tuned lfu', async () => {
    const bundled = await bundledLog();
    const cases = [
      [bundled, [200, 1000, 5000]],
      [zipfWithScans(4, 3000), [300, 1500]],
      [retrieval(4, 0.9, 60, 2500), [60, 300]],
      [popularAmongOnce(3, 30), [700, 1500]],
    ] as const;
    for (const [trace, sizes] of cases) {
      for (const blocks of sizes) {
        const rate = (policy: string) =>
          run(policy, { trace, tiers: [tier('dram', blocks)] }).result.prefixHitRate;
        expect(rate('evicpress')).toBeGreaterThanOrEqual(Math.max(rate('lru'), rate('lfu')) - 0.01);
      }
    }
  });

  it('keeps the mean quality that is asked for', async () => {
    const trace = await bundledLog();
    const rows = [row('int8', 0.5, 0.99), row('int4', 0.75, 0.94), row('int2', 0.88, 0.8)];
    for (const meanQuality of [0.9, 0.97]) {
      const objective = { alpha: 1, meanQuality };
      const { result } = run('evicpress', { trace, tiers: [tier('dram', 400)], rows, objective });
      expect(result.meanQuality).toBeGreaterThanOrEqual(meanQuality - 0.005);
    }
  });

  it('is no slower than lru with the class rule at the quality that the rule ends with', async () => {
    const names = [...new Set(THREE_CLASSES.map((r) => r.class!))].sort();
    const trace = assignClasses(await bundledLog(), names, 1);
    for (const blocks of [200, 5000]) {
      const setting = {
        trace,
        rows: THREE_CLASSES,
        tiers: [tier('dram', blocks), tier('ssd', 10 * blocks, 5e9)],
      };
      const rule = run('lru+class-rule@0.95', setting).result;
      const objective = { alpha: 1, meanQuality: rule.meanQuality };
      const { result, store } = run('evicpress', { ...setting, objective });
      expect(result.meanQuality).toBeGreaterThanOrEqual(rule.meanQuality - 0.005);
      expect(result.ttft.mean).toBeLessThanOrEqual(rule.ttft.mean);
      for (const t of [0, 1]) expect(store.usedBytes[t]!).toBeLessThanOrEqual(store.capacityBytes[t]!);
    }
  });

  it('is no slower than it where caches fill for long and more and more requests find something', () => {
    const names = [...new Set(TWO_CLASSES.map((r) => r.class!))].sort();
    const trace = assignClasses(zipfWithDrift(4, 0.8, 800), names, 1);
    const setting = { trace, rows: TWO_CLASSES, tiers: [tier('dram', 1500), tier('ssd', 15_000, 5e9)] };
    const rule = run('lru+class-rule@0.97', setting).result;
    const objective = { alpha: 1, meanQuality: rule.meanQuality };
    const { result } = run('evicpress', { ...setting, objective });
    expect(Math.abs(result.meanQuality - rule.meanQuality)).toBeLessThanOrEqual(0.002);
    expect(result.ttft.mean).toBeLessThanOrEqual(rule.ttft.mean);
  });

  it('holds the quality asked for in a loop that fits whole, where nothing lossy is ever chosen anew', () => {
    const { rule, result } = besideClassRule(loop(220), THREE_CLASSES, 4900);
    expect(Math.abs(result.meanQuality - rule.meanQuality)).toBeLessThanOrEqual(0.005);
    expect(result.ttft.mean).toBeLessThanOrEqual(rule.ttft.mean);
  });

  it('follows the class rule where that does better on the history', () => {
    const { rule, result } = besideClassRule(deployments(72), TWO_CLASSES, 5000);
    // By class and size it is 2 % slower.
    expect(Math.abs(result.meanQuality - rule.meanQuality)).toBeLessThanOrEqual(0.0005);
    expect(result.ttft.mean).toBeLessThanOrEqual(1.0005 * rule.ttft.mean);
  });

  it('compresses what many sessions share as far as all of them want it', () => {
    const { rule, result } = besideClassRule(branchingAgents(72), TWO_CLASSES, 500);
    expect(Math.abs(result.meanQuality - rule.meanQuality)).toBeLessThanOrEqual(0.005);
    // Kept whole, what they share made it 12 % slower.
    expect(result.ttft.mean).toBeLessThanOrEqual(1.05 * rule.ttft.mean);
  });
});

/** LRU with the class rule of .95, and evicpress at its quality, on tiers of so many blocks and ten times that. */
function besideClassRule(log: Trace, rows: readonly MethodRow[], blocks: number) {
  const names = [...new Set(rows.map((r) => r.class!))].sort();
  const trace = assignClasses(log, names, 1);
  const setting = { trace, rows, tiers: [tierOf('dram', blocks), tierOf('ssd', 10 * blocks)] };
  const rule = replayed('lru+class-rule@0.95', setting);
  const objective = { alpha: 1, meanQuality: rule.meanQuality };
  return { rule, result: replayed('evicpress', { ...setting, objective }) };
}
