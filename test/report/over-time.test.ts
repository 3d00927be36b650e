import { describe, expect, it } from 'vitest';
import type { ReplayResult } from '../../src/formats/replay.js';
import { overTime } from '../../src/report/figures/over-time.js';

describe('the chart over time', () => {
  it('merges the windows of a long log to what they are together', () => {
    const window = (i: number) => ({
      startSeconds: 60 * i,
      requests: i % 2 === 0 ? 1 : 3,
      hitShare: i % 2 === 0 ? 0.9 : 0.1,
      reusableTokens: i % 2 === 0 ? 3000 : 1000,
      meanTtftSeconds: i % 2 === 0 ? 1 : 2,
      meanQuality: i % 2 === 0 ? 1 : 0.8,
    });
    const policy = { policy: 'lru', series: Array.from({ length: 480 }, (_, i) => window(i)) };
    const replays = [{ log: 'a.jsonl', policies: [policy] } as unknown as ReplayResult];
    const { panels } = overTime.draw({ replays } as never)!;
    const { values } = panels[0]!.spec.data as { values: Record<string, number>[] };
    expect(values).toHaveLength(240);
    expect(values[1]).toMatchObject({ minutes: 2, requests: 4, hitShare: 0.7, ttft: 1.75 });
    expect(values[1]!.quality).toBeCloseTo(0.85, 12);
  });
});
