import { describe, expect, it } from 'vitest';
import { loadTrace } from '../../src/traces/load.js';
import type { Trace } from '../../src/traces/trace.js';
import { sharedFile } from '../support/shared.js';
import { bundledLog } from '../traces/logs.js';
import { run, tier } from './setting.js';

/** Prefix hit rates of an independent replay, second half scored after warming on the first. */
const GOLDEN = [
  ['mooncake-conversation.jsonl', 548, { lru: 0.045, 'lfu@500': 0.065, 'lfu@3000': 0.072, belady: 0.147 }],
  ['mooncake-conversation.jsonl', 1828, { lru: 0.055, 'lfu@500': 0.111, 'lfu@3000': 0.118, belady: 0.257 }],
  ['mooncake-conversation.jsonl', 5484, { lru: 0.126, 'lfu@500': 0.163, 'lfu@3000': 0.175, belady: 0.371 }],
  ['mooncake-conversation.jsonl', 18_279, { lru: 0.294, 'lfu@500': 0.299, 'lfu@3000': 0.262, belady: 0.398 }],
  ['mooncake-conversation.jsonl', null, { lru: 0.398, belady: 0.398 }],
  ['agent-sessions.jsonl.gz', 507, { lru: 0.295, 'lfu@500': 0.142, 'lfu@3000': 0.071, belady: 0.491 }],
  ['agent-sessions.jsonl.gz', 1521, { lru: 0.583, 'lfu@500': 0.299, 'lfu@3000': 0.142, belady: 0.771 }],
  ['agent-sessions.jsonl.gz', 5070, { lru: 0.915, 'lfu@500': 0.619, 'lfu@3000': 0.363, belady: 0.942 }],
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
    const table = ['lru', 'lfu', 's3-fifo', 'arc', 'gdsf', 'lhd', 'belady'].map(
      (policy) => `${policy} ${[200, 1000, 5000, null].map((blocks) => rate(policy, blocks)).join(' ')}`,
    );
    expect(table).toMatchInlineSnapshot(`
      [
        "lru 0.0383 0.0410 0.1238 0.3546",
        "lfu 0.0568 0.0770 0.1122 0.3546",
        "s3-fifo 0.0383 0.0553 0.1129 0.3546",
        "arc 0.0429 0.0452 0.1110 0.3546",
        "gdsf 0.0383 0.0410 0.1268 0.3546",
        "lhd 0.0360 0.0372 0.0932 0.3546",
        "belady 0.0928 0.2006 0.3546 0.3546",
      ]
    `);
  });
});
