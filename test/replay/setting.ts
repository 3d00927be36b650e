import type { MethodRow } from '../../src/formats/methods.js';
import type { Model } from '../../src/formats/model.js';
import type { Tier } from '../../src/formats/tiers.js';
import { fitCurves } from '../../src/plan/curves.js';
import { type Compression, compressionOf } from '../../src/replay/compression.js';
import { LogFacts } from '../../src/replay/log-facts.js';
import { policyRun } from '../../src/replay/runs.js';
import { type ReplayOutcome, type ReplaySetting, replay } from '../../src/replay/simulator.js';
import type { Trace } from '../../src/traces/trace.js';

/** 0.12 GB per 1,000 tokens: a 512-token block is 61.44 MB. */
export const model: Model = {
  name: 'test',
  kvBytesPerToken: 120_000,
  prefill: { secondsPerToken: 2e-5, secondsPerTokenSquared: 8e-10 },
};

export const BLOCK_BYTES = 512 * 120_000;

/** A tier that holds so many 512-token blocks. */
export function tier(name: string, blocks: number | null, bytesPerSecond = 20e9): Tier {
  return {
    name,
    kind: 'dram',
    capacityBytes: blocks === null ? null : blocks * BLOCK_BYTES,
    read: { latencySeconds: 1e-3, bytesPerSecond },
  };
}

export interface TestSetting extends Partial<ReplaySetting> {
  readonly trace: Trace;
  readonly tiers: readonly Tier[];
  readonly rows?: readonly MethodRow[];
}

/** Replays a trace, the second half scored unless the setting says otherwise. */
export function run(policy: string, setting: TestSetting): ReplayOutcome {
  const compression = compressionFor(setting.trace, setting.rows);
  const full: ReplaySetting = {
    model,
    facts: new LogFacts(setting.trace),
    compression,
    warm: Math.floor(setting.trace.requests / 2),
    ...setting,
  };
  return replay(full, policyRun(policy, setting.trace, compression));
}

/** What a method profile of such rows offers for a log; nothing without rows. */
export function compressionFor(trace: Trace, rows?: readonly MethodRow[]): Compression {
  return compressionOf(trace, rows === undefined ? undefined : fitCurves(rows));
}

/** A pooled row of a method profile. */
export function row(
  method: string,
  compressionRatio: number,
  quality: number,
  more: Partial<MethodRow> = {},
): MethodRow {
  return {
    context: '*',
    fullBytes: 1000,
    method,
    compressionRatio,
    storedBytes: Math.round(1000 * (1 - compressionRatio)),
    quality,
    ...more,
  };
}
