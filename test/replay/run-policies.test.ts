import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { workerFile } from '../../src/package-root.js';
import type { ProgressEvent } from '../../src/progress.js';
import { LogFacts } from '../../src/replay/log-facts.js';
import { replayPolicies } from '../../src/replay/run-policies.js';
import { policyRun } from '../../src/replay/runs.js';
import type { ReplaySetting } from '../../src/replay/simulator.js';
import { bundledLog, firstRequests, traceOf } from '../traces/logs.js';
import { compressionFor, model, row, tier } from './setting.js';

const rows = [row('int8', 0.5, 0.99), row('int4', 0.75, 0.94)];
const names = ['lru', 'lru+int4', 'belady', 'evicpress', 'lfu', 's3-fifo', 'full-prefill'];

/** Runs policies with and without threads. */
async function both(setting: Omit<ReplaySetting, 'facts'>) {
  const full = { ...setting, facts: new LogFacts(setting.trace) };
  const runs = names.map((name) => policyRun(name, setting.trace, setting.compression));
  const events: ProgressEvent[] = [];
  const alone = await replayPolicies(full, runs, () => undefined, { threads: 1 });
  const together = await replayPolicies(full, runs, (event) => events.push(event), {
    threads: 3,
    worthAccesses: 0,
  });
  return { alone, together, events };
}

describe.skipIf(!existsSync(workerFile('replay/run.worker')))('runs in threads', () => {
  it('give what they give one after the other, in the order asked for', async () => {
    const trace = firstRequests(await bundledLog(), 600);
    const { alone, together, events } = await both({
      trace,
      tiers: [tier('dram', 200), tier('ssd', 900, 5e9)],
      model,
      compression: compressionFor(trace, rows),
      warm: 300,
      engines: 2,
      objective: { alpha: 1, meanQuality: 0.97 },
    });
    expect(together).toEqual(alone);
    expect(together.map(({ policy }) => policy)).toEqual(names);
    expect(events.map(({ done }) => done)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('are worth it for one policy: the caller goes on beside it', async () => {
    const trace = firstRequests(await bundledLog(), 600);
    const compression = compressionFor(trace, []);
    const setting = { trace, tiers: [tier('dram', 200)], model, compression, warm: 300 };
    const run = policyRun('lru', trace, compression);
    const full = { ...setting, facts: new LogFacts(trace) };
    const events: ProgressEvent[] = [];
    const replayed = replayPolicies(full, [run], (event) => events.push(event), {
      threads: 2,
      worthAccesses: 0,
    });
    // Begun, and not done before anybody waits for it.
    expect(events.map(({ done }) => done)).toEqual([0]);
    expect(await replayed).toEqual(await replayPolicies(full, [run], () => undefined, { threads: 1 }));
  });

  it('serve documents and ids that are text', async () => {
    const request = (r: number) => ({
      documents: { [`d${r % 7}`]: 100, [`e${r % 3}`]: 50 },
      class: `c${r % 2}`,
    });
    const trace = traceOf(
      Array.from({ length: 60 }, (_, r) => request(r)),
      'documents',
    );
    const { alone, together } = await both({
      trace,
      tiers: [{ ...tier('dram', 1), capacityBytes: 300 * model.kvBytesPerToken }],
      model,
      compression: compressionFor(trace, rows),
      warm: 10,
    });
    expect(together).toEqual(alone);
  });

  it('end with the first fault', async () => {
    const trace = traceOf([{ blocks: ['a'] }]);
    const compression = compressionFor(trace, rows);
    const setting = {
      trace,
      facts: new LogFacts(trace),
      tiers: [tier('dram', 1)],
      model,
      compression,
      warm: 0,
    };
    const lost = { ...policyRun('lru', trace, compression), name: 'lrv' };
    await expect(
      replayPolicies(setting, [lost, lost], () => undefined, { threads: 2, worthAccesses: 0 }),
    ).rejects.toThrow('Unknown policy "lrv". Did you mean lru?');
  });
});
