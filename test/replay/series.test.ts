import { describe, expect, it } from 'vitest';
import { bundledLog, traceOf } from '../traces/logs.js';
import { run, tier } from './setting.js';

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe('the series', () => {
  it('adds up to the whole', async () => {
    const trace = await bundledLog();
    const { result } = run('lru', { trace, tiers: [tier('dram', 500), tier('ssd', 500, 2e9)] });
    const series = result.series!;
    const requests = sum(series.map((point) => point.requests));
    expect(requests).toBe(trace.requests - Math.floor(trace.requests / 2));
    expect(sum(series.map((point) => point.requests * point.meanTtftSeconds)) / requests).toBeCloseTo(
      result.ttft.mean,
      12,
    );
    const reusable = sum(series.map((point) => point.reusableTokens!));
    expect(sum(series.map((point) => point.hitShare * point.reusableTokens!)) / reusable).toBeCloseTo(
      sum(Object.values(result.hitShare)),
      12,
    );
  });

  it('has windows of one length, a minute in a log of hours, and leaves out empty ones', () => {
    const trace = traceOf([0, 30, 59, 60, 3600, 7200, 7230].map((seconds) => ({ blocks: ['a'], seconds })));
    const { result } = run('lru', { trace, tiers: [tier('dram', 5)], warm: 0 });
    expect(result.series!.map((point) => [point.startSeconds, point.requests])).toEqual([
      [0, 3],
      [60, 1],
      [3600, 1],
      [7200, 2],
    ]);
  });

  it('is empty where nothing is scored, one window where all comes at once', () => {
    const trace = traceOf([1, 2, 3].map(() => ({ blocks: ['a'], seconds: 5 })));
    const tiers = [tier('dram', 5)];
    expect(run('lru', { trace, tiers, warm: 3 }).result.series).toEqual([]);
    expect(run('lru', { trace, tiers, warm: 0 }).result.series!.map((point) => point.requests)).toEqual([3]);
  });
});
