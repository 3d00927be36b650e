import { describe, expect, it } from 'vitest';
import { parseReplan, ReplanClock, type ReplanEvery } from '../../src/replay/replanning.js';
import type { Trace } from '../../src/traces/trace.js';
import { bundledLog } from '../traces/logs.js';
import { row, run, tier } from './setting.js';

function dueAfter(timestampSeconds: number[], every: ReplanEvery, load = 1): number[] {
  const trace = { timestampSeconds: Float64Array.from(timestampSeconds) } as unknown as Trace;
  const clock = new ReplanClock(trace, every, load);
  return timestampSeconds.flatMap((_, request) => (clock.isDueAfter(request) ? [request] : []));
}

describe('re-planning', () => {
  it('is due after so many requests', () => {
    expect(dueAfter([0, 0, 0, 0, 0, 0, 0], { requests: 3 })).toEqual([2, 5]);
  });

  it('is due after so many seconds of arrivals, which come sooner under load', () => {
    const times = [100, 130, 160, 190, 230, 500];
    expect(dueAfter(times, { seconds: 60 })).toEqual([2, 4, 5]);
    expect(dueAfter(times, { seconds: 60 }, 2)).toEqual([4, 5]);
  });

  it('is given in requests or time', () => {
    expect(parseReplan('50r')).toEqual({ requests: 50 });
    expect(parseReplan('300s')).toEqual({ seconds: 300 });
    expect(parseReplan('5m')).toEqual({ seconds: 300 });
    for (const text of ['50', '0r', '1.5r', 'r', '0s', '-3s', '', 'often'])
      expect(() => parseReplan(text), text).toThrow(/--replan|duration/);
  });

  it('changes what planning policies do, and nothing else', async () => {
    const trace = await bundledLog();
    const rows = [row('int8', 0.5, 0.99), row('int4', 0.75, 0.94)];
    const tiers = [tier('dram', 100), tier('ssd', 400, 5e9)];
    const at = (policy: string, replanEvery?: ReplanEvery) =>
      run(policy, { trace, tiers, rows, ...(replanEvery && { replanEvery }) }).result;
    expect(at('evicpress-greedy', { requests: 20 })).not.toEqual(at('evicpress-greedy'));
    expect(at('evicpress-greedy', { seconds: 5 })).not.toEqual(at('evicpress-greedy'));
    expect(at('evicpress-greedy', { requests: 250 })).toEqual(at('evicpress-greedy'));
    expect(at('lru', { requests: 20 })).toEqual(at('lru'));
  });
});
