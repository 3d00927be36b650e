import { describe, expect, it } from 'vitest';
import { recomputeSeconds } from '../../src/cost/prefill.js';
import { bundledLog, traceOf } from '../traces/logs.js';
import { model, row, run, tier } from './setting.js';

const tiers = [tier('dram', 500), tier('ssd', 2000, 2e9)];

describe('the load at which a target breaks', () => {
  it.each(['mean', 'p90'] as const)('is where the replay itself breaks it: %s', async (statistic) => {
    const trace = await bundledLog();
    const seconds = run('lru', { trace, tiers, engines: 1, load: 0.5 }).result.ttft[statistic];
    const target = { statistic, seconds };
    const { sweep } = run('lru', { trace, tiers, engines: 1, target }).result;
    const at = (load: number) => run('lru', { trace, tiers, engines: 1, load }).result.ttft;
    expect(at(sweep!.maxLoad)[statistic]).toBeLessThanOrEqual(seconds);
    expect(at(1.02 * sweep!.maxLoad)[statistic]).toBeGreaterThan(seconds);
    for (const point of sweep!.points.slice(0, 3)) {
      const { mean, p50, p90, p99 } = at(point.load);
      expect(point.ttft).toEqual({ mean, p50, p90, p99 });
    }
    expect(sweep!.maxRequestsPerSecond / sweep!.maxLoad).toBeCloseTo(
      750 / (trace.timestampSeconds.at(-1)! - trace.timestampSeconds[750]!),
      9,
    );
  });

  it('counts what the policy recomputes of its own accord, which keeps the engine from the next request', async () => {
    const trace = await bundledLog();
    const rows = [row('int8', 0.5, 0.99), row('int4', 0.75, 0.94), row('int2', 0.88, 0.8)];
    const objective = { alpha: 1 };
    for (const overlap of [false, true]) {
      const setting = { trace, tiers, rows, objective, engines: 8, overlap };
      const target = { statistic: 'mean', seconds: 1 } as const;
      const { result, scores } = run('evicpress', { ...setting, target });
      const { mean, p50, p90, p99 } = result.ttft;
      expect(result.sweep!.points.find((point) => point.load === 1)!.ttft).toEqual({ mean, p50, p90, p99 });
      const recomputed = scores.prefillSeconds.some((seconds, r) => {
        const left = trace.inputTokens[r]! - scores.loadedTokens[r]!;
        const loaded = scores.loadedTokens[r]!;
        return seconds > recomputeSeconds(model, loaded, left) * (1 + 1e-9);
      });
      expect(recomputed).toBe(true);
    }
  });

  it('is 0 for a target below an idle engine', async () => {
    const trace = await bundledLog();
    const { sweep } = run('lru', { trace, tiers, target: { statistic: 'p99', seconds: 1e-6 } }).result;
    expect(sweep!.maxLoad).toBe(0);
  });

  it('stops looking where no load breaks it: all requests come at once', () => {
    const trace = traceOf([1, 2, 3].map(() => ({ blocks: ['a'], seconds: 0 })));
    const target = { statistic: 'mean', seconds: 100 } as const;
    const { sweep } = run('lru', { trace, tiers, warm: 0, target }).result;
    expect(sweep!.maxLoad).toBe(2 ** 20);
    expect(sweep!.maxRequestsPerSecond).toBe(0);
  });
});
