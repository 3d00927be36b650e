import { recomputeSeconds } from '../cost/prefill.js';
import type { Model } from '../formats/model.js';
import type { PolicyResult } from '../formats/replay.js';
import type { Tier } from '../formats/tiers.js';
import type { Trace } from '../traces/trace.js';
import { quantiles } from './quantiles.js';
import type { Scores } from './scorekeeper.js';
import { seriesOf } from './series.js';

/** From this utilization of the prefill servers on a queue grows without end. */
const SATURATED = 0.95;
const PERCENTILES = Array.from({ length: 101 }, (_, percent) => percent / 100);

/** What the caches' counters stood at when scoring began, or at the end. */
export interface ByteCounters {
  readonly writtenBytes: Float64Array;
  readonly movedBytes: number;
}

export interface Summary {
  readonly policy: string;
  readonly trace: Trace;
  readonly tiers: readonly Tier[];
  readonly model: Model;
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
  const sum = (column: Column) => sumOf(column, warm, n);
  const scored = Math.max(1, n - warm);
  const unlimited = sum(summary.unlimitedTokens);
  const input = sum(trace.inputTokens);
  const hits = sum(scores.hitTokens);
  const byTier = (of: (t: number) => number) =>
    Object.fromEntries([
      ...tiers.map((tier, t) => [tier.name, of(t)] as const),
      ...summary.emptyTiers.map((name) => [name, 0] as const),
    ]);
  const ofTier = (column: Column, t: number) => sumOf(column, warm, n, tiers.length, t);
  const percentiles = quantiles(scores.ttftSeconds.subarray(warm), PERCENTILES);
  const [p10Quality] = quantiles(scores.quality.subarray(warm), [0.1]) as [number];
  const seconds =
    n > warm ? (trace.timestampSeconds[n - 1]! - trace.timestampSeconds[warm]!) / summary.load : 0;
  const busy = sum(scores.prefillSeconds);
  const utilization = seconds > 0 ? busy / seconds / (summary.engines ?? 1) : 0;
  const written = (t: number) => after.writtenBytes[t]! - before.writtenBytes[t]!;
  return {
    policy: summary.policy,
    hitShare: byTier((t) => share(ofTier(scores.hitTokensOfTier, t), unlimited)),
    prefixHitRate: share(hits, input),
    ...(trace.reuse === 'documents' && {
      documentHitRate: share(sum(scores.documentsHit), sum(scores.documentsAsked)),
    }),
    ttft: {
      mean: sum(scores.ttftSeconds) / scored,
      p50: percentiles[50]!,
      p90: percentiles[90]!,
      p99: percentiles[99]!,
      percentiles,
    },
    meanQuality: n > warm ? sum(scores.quality) / scored : 1,
    p10Quality: n > warm ? p10Quality : 1,
    ...reuseOf(summary),
    bytesRead: byTier((t) => ofTier(scores.loadedBytesOfTier, t)),
    bytesWritten: byTier(written),
    bytesWrittenPerDay: byTier((t) => (seconds > 0 ? (written(t) / seconds) * 86_400 : 0)),
    bytesMoved: after.movedBytes - before.movedBytes,
    recomputedHitShare: share(hits - sum(scores.loadedTokens), hits),
    utilization,
    series: seriesOf(trace, scores, summary.unlimitedTokens, warm),
    ...(summary.engines !== undefined && utilization > SATURATED && { saturated: true }),
  };
}

/**
 * Of requests that could reuse something: the mean TTFT less the prefill of what is new in them, and the mean quality,
 * as a plan predicts them; nothing where there are none.
 */
function reuseOf({
  trace,
  scores,
  model,
  warm,
  unlimitedTokens,
}: Summary): Pick<PolicyResult, 'reuseTtftSeconds' | 'reuseQuality'> {
  let requests = 0;
  let seconds = 0;
  let quality = 0;
  for (let r = warm; r < trace.requests; r++) {
    const reusable = unlimitedTokens[r]!;
    if (reusable === 0) continue;
    requests++;
    seconds += scores.ttftSeconds[r]! - recomputeSeconds(model, reusable, trace.inputTokens[r]! - reusable);
    quality += scores.quality[r]!;
  }
  if (requests === 0) return {};
  return { reuseTtftSeconds: Math.max(0, seconds / requests), reuseQuality: quality / requests };
}

type Column = Float64Array | Int32Array;

/** The sum over requests from one on, of a column that has `width` entries for each. */
function sumOf(column: Column, from: number, to: number, width = 1, entry = 0): number {
  let total = 0;
  for (let at = from * width + entry; at < to * width; at += width) total += column[at]!;
  return total;
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}
