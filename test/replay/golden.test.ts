import { describe, expect, it } from 'vitest';
import { loadTrace } from '../../src/traces/load.js';
import type { Trace } from '../../src/traces/trace.js';
import { sharedFile } from '../support/shared.js';
import { bundledLog } from '../traces/logs.js';
import { run, tier } from './setting.js';

/** Prefix hit rates of an independent replay, second half scored after warming on the first. */
const GOLDEN = [
  ['mooncake-conversation.jsonl', 548, { lru: 0.045, belady: 0.147 }],
  ['mooncake-conversation.jsonl', 1828, { lru: 0.055, belady: 0.257 }],
  ['mooncake-conversation.jsonl', 5484, { lru: 0.126, belady: 0.371 }],
  ['mooncake-conversation.jsonl', 18_279, { lru: 0.294, belady: 0.398 }],
  ['mooncake-conversation.jsonl', null, { lru: 0.398, belady: 0.398 }],
  ['agent-sessions.jsonl.gz', 507, { lru: 0.295, belady: 0.491 }],
  ['agent-sessions.jsonl.gz', 1521, { lru: 0.583, belady: 0.771 }],
  ['agent-sessions.jsonl.gz', 5070, { lru: 0.915, belady: 0.942 }],
  ['agent-sessions.jsonl.gz', null, { lru: 0.969, belady: 0.969 }],
] as const;

const traces = new Map<string, Trace>();

async function traceAt(path: string): Promise<Trace> {
  const trace = traces.get(path) ?? (await loadTrace(path));
  traces.set(path, trace);
  return trace;
}

describe('prefix hit rates of an independent replay', () => {
  for (const [log, blocks, rates] of GOLDEN) {
    const path = sharedFile(`traces/${log}`);
    for (const [policy, rate] of Object.entries(rates)) {
      it.skipIf(path === undefined)(`${policy}, ${log}, ${blocks ?? 'unlimited'} blocks`, async () => {
        const trace = await traceAt(path!);
        const { result } = run(policy, { trace, tiers: [tier('dram', blocks)] });
        expect(Math.abs(result.prefixHitRate - rate)).toBeLessThanOrEqual(0.003);
      });
    }
  }
});

describe('the bundled excerpt', () => {
  it('serves the same share of its tokens as ever', async () => {
    const trace = await bundledLog();
    const rate = (policy: string, blocks: number | null) =>
      run(policy, { trace, tiers: [tier('dram', blocks)] }).result.prefixHitRate.toFixed(4);
    const table = ['lru', 'belady'].map((policy) =>
      [200, 1000, 5000, null].map((blocks) => rate(policy, blocks)).join(' '),
    );
    expect(table).toMatchInlineSnapshot(`
      [
        "0.0383 0.0410 0.1238 0.3546",
        "0.0928 0.2006 0.3546 0.3546",
      ]
    `);
  });
});
