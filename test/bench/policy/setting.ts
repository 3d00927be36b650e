import type { MethodRow } from '../../../src/formats/methods.js';
import type { Model } from '../../../src/formats/model.js';
import type { PolicyResult } from '../../../src/formats/replay.js';
import type { Tier } from '../../../src/formats/tiers.js';
import { fitCurves } from '../../../src/plan/curves.js';
import { compressionOf } from '../../../src/replay/compression.js';
import { LogFacts } from '../../../src/replay/log-facts.js';
import { policyRun } from '../../../src/replay/runs.js';
import { type ReplaySetting, replay } from '../../../src/replay/simulator.js';
import type { Trace } from '../../../src/traces/trace.js';

/** Llama-3.1-8B on an H100, as profiles/models.json has it. */
export const BYTES_PER_TOKEN = 131_072;
const model: Model = {
  name: 'llama-3.1-8b',
  kvBytesPerToken: BYTES_PER_TOKEN,
  prefill: { secondsPerToken: 2.084e-5, secondsPerTokenSquared: 3.849e-10 },
};
export const BLOCK_BYTES = 512 * BYTES_PER_TOKEN;

/** A tier that holds so many blocks; bandwidths as profiles/tiers/h100-host.json has them. */
export function tierOf(name: 'dram' | 'ssd', blocks: number): Tier {
  const read =
    name === 'dram'
      ? { latencySeconds: 2e-5, bytesPerSecond: 42.5e9 }
      : { latencySeconds: 1e-4, bytesPerSecond: 6e9 };
  return { name, kind: name === 'dram' ? 'dram' : 'file', capacityBytes: blocks * BLOCK_BYTES, read };
}

/** Replays a log under one policy, the second half scored. */
export function replayed(
  policy: string,
  setting: Partial<ReplaySetting> & {
    readonly trace: Trace;
    readonly tiers: readonly Tier[];
    readonly rows?: readonly MethodRow[];
  },
): PolicyResult {
  const { trace, rows } = setting;
  const compression = compressionOf(trace, rows === undefined ? undefined : fitCurves(rows));
  const full: ReplaySetting = {
    model,
    facts: new LogFacts(trace),
    compression,
    warm: Math.floor(trace.requests / 2),
    ...setting,
  };
  return replay(full, policyRun(policy, trace, compression)).result;
}
