import type { PolicyResult } from '../formats/replay.js';
import type { Tier } from '../formats/tiers.js';
import type { Trace } from '../traces/trace.js';
import type { Scores } from './scorekeeper.js';
import { seriesOf } from './series.js';

/** From this utilization of the prefill servers on a queue grows without end. */
const SATURATED = 0.95;

/** What the caches' counters stood at when scoring began, or at the end. */
export interface ByteCounters {
  readonly writtenBytes: Float64Array;
  readonly movedBytes: number;
}

export interface Summary {
  readonly policy: string;
  readonly trace: Trace;
  readonly tiers: readonly Tier[];
  /** Names of tiers that hold nothing. */
  readonly emptyTiers: readonly string[];
  readonly scores: Scores;
  /** First scored request. */
  readonly warm: number;
  /** By request: tokens an unlimited cache would serve. */
  readonly unlimitedTokens: Float64Array;
  readonly before: ByteCounters;
  readonly after: ByteCounters;
  readonly engines?: number | undefined;
  readonly load: number;
}

/** Sums up one policy's run over the scored requests (contract, "Replay"). */
export function summarise(summary: Summary): PolicyResult {
  const { trace, tiers, scores, warm, before, after } = summary;
  const n = trace.requests;
  const sum = (of: (r: number) => number): number => {
    let total = 0;
    for (let r = warm; r < n; r++) total += of(r);
    return total;
  };
  const scored = Math.max(1, n - warm);
  const unlimited = sum((r) => summary.unlimitedTokens[r]!);
  const input = sum((r) => trace.inputTokens[r]!);
  const byTier = (of: (t: number) => number) =>
    Object.fromEntries([
      ...tiers.map((tier, t) => [tier.name, of(t)] as const),
      ...summary.emptyTiers.map((name) => [name, 0] as const),
    ]);
  const ofTier = (column: Float64Array, t: number) => sum((r) => column[r * tiers.length + t]!);
  const ttft = scores.ttftSeconds.slice(warm).sort();
  const quality = scores.quality.slice(warm).sort();
  const seconds =
    n > warm ? (trace.timestampSeconds[n - 1]! - trace.timestampSeconds[warm]!) / summary.load : 0;
  const busy = sum((r) => scores.prefillSeconds[r]!);
  const utilization = seconds > 0 ? busy / seconds / (summary.engines ?? 1) : 0;
  const written = (t: number) => after.writtenBytes[t]! - before.writtenBytes[t]!;
  return {
    policy: summary.policy,
    hitShare: byTier((t) => share(ofTier(scores.hitTokensOfTier, t), unlimited)),
    prefixHitRate: share(
      sum((r) => scores.hitTokens[r]!),
      input,
    ),
    ...(trace.reuse === 'documents' && {
      documentHitRate: share(
        sum((r) => scores.documentsHit[r]!),
        sum((r) => scores.documentsAsked[r]!),
      ),
    }),
    ttft: {
      mean: sum((r) => scores.ttftSeconds[r]!) / scored,
      p50: quantile(ttft, 0.5),
      p90: quantile(ttft, 0.9),
      p99: quantile(ttft, 0.99),
      percentiles: Array.from({ length: 101 }, (_, percent) => quantile(ttft, percent / 100)),
    },
    meanQuality: n > warm ? sum((r) => scores.quality[r]!) / scored : 1,
    p10Quality: n > warm ? quantile(quality, 0.1) : 1,
    bytesRead: byTier((t) => ofTier(scores.loadedBytesOfTier, t)),
    bytesWritten: byTier(written),
    bytesWrittenPerDay: byTier((t) => (seconds > 0 ? (written(t) / seconds) * 86_400 : 0)),
    bytesMoved: after.movedBytes - before.movedBytes,
    recomputedHitShare: share(
      sum((r) => scores.hitTokens[r]! - scores.loadedTokens[r]!),
      sum((r) => scores.hitTokens[r]!),
    ),
    utilization,
    series: seriesOf(trace, scores, summary.unlimitedTokens, warm),
    ...(summary.engines !== undefined && utilization > SATURATED && { saturated: true }),
  };
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}

/** A quantile of ascending numbers, interpolated linearly between order statistics; 0 of none. */
export function quantile(ascending: Float64Array, p: number): number {
  if (ascending.length === 0) return 0;
  const at = p * (ascending.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, ascending.length - 1);
  return ascending[low]! + (at - low) * (ascending[high]! - ascending[low]!);
}
