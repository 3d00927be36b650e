import * as z from 'zod';
import { readJson } from './files.js';
import { checkFormat, checkShape, count, fraction, nonNegative } from './schema.js';

const byTier = z.record(z.string(), z.number());

/** One window of a policy's run over time, by the log's clock. */
export const seriesPointSchema = z.looseObject({
  startSeconds: z.number(),
  requests: count,
  /** Share of the tokens an unlimited cache would serve, over all tiers. */
  hitShare: nonNegative,
  /** The tokens it is a share of. */
  reusableTokens: nonNegative.optional(),
  meanTtftSeconds: nonNegative,
  meanQuality: fraction,
});
export type SeriesPoint = z.infer<typeof seriesPointSchema>;

const ttftStatistics = { mean: nonNegative, p50: nonNegative, p90: nonNegative, p99: nonNegative };

/** How a policy's TTFT grows with the load, and the load at which a target breaks. */
export const loadSweepSchema = z.looseObject({
  target: z.looseObject({ statistic: z.enum(['mean', 'p50', 'p90', 'p99']), seconds: nonNegative }),
  /** Largest factor on the log's arrivals that keeps the target; 0 where none does. */
  maxLoad: nonNegative,
  maxRequestsPerSecond: nonNegative,
  points: z.array(
    z.looseObject({
      load: nonNegative,
      requestsPerSecond: nonNegative,
      ttft: z.looseObject(ttftStatistics),
    }),
  ),
});
export type LoadSweep = z.infer<typeof loadSweepSchema>;

/** What one policy did with the scored part of a log. */
export const policyResultSchema = z.looseObject({
  policy: z.string(),
  /** By tier: share of the tokens that an unlimited cache would serve. */
  hitShare: byTier,
  prefixHitRate: fraction,
  documentHitRate: fraction.optional(),
  ttft: z.looseObject({
    ...ttftStatistics,
    /** The distribution: the TTFT below which 0 %, 1 %, …, 100 % of the requests lie. */
    percentiles: z.array(nonNegative).optional(),
  }),
  meanQuality: fraction,
  p10Quality: fraction,
  /** Of requests that could reuse something: mean seconds until that is at hand, and their mean quality. */
  reuseTtftSeconds: nonNegative.optional(),
  reuseQuality: fraction.optional(),
  bytesRead: byTier,
  bytesWritten: byTier,
  bytesMoved: nonNegative,
  /** Busy share of the prefill servers; above .95 the policy is marked saturated. */
  utilization: nonNegative,
  saturated: z.boolean().optional(),
  /** The same over time, in windows of equal length. */
  series: z.array(seriesPointSchema).optional(),
  sweep: loadSweepSchema.optional(),
});
/** What one policy did on one log: shares, seconds and bytes, weighted by accesses. */
export type PolicyResult = z.infer<typeof policyResultSchema>;

export const replaySchema = z.looseObject({
  format: z.literal('evicpress.replay'),
  version: z.number(),
  /** Requests of the whole log, and how many of them only warmed the caches. */
  requests: count,
  warm: count,
  policies: z.array(policyResultSchema),
  /** The plan that policy evicpress followed, and what it predicts for what is reused. */
  plan: z
    .looseObject({
      contexts: count,
      contextsInLog: count,
      meanTtftSeconds: nonNegative,
      meanQuality: fraction,
    })
    .optional(),
  /** What no policy beats, whatever it knows: hits, and mean TTFT at a mean quality. */
  bound: z
    .looseObject({
      prefixHitRate: fraction,
      ttft: z.array(z.looseObject({ meanQuality: fraction, meanSeconds: nonNegative })),
    })
    .optional(),
  /** What LRU would serve at other capacities, one tier or the first of several: ascending. */
  lruCurve: z.array(z.looseObject({ capacityBytes: nonNegative, prefixHitRate: fraction })).optional(),
});
/** A replay.json: one log, one setting, a result for every policy. */
export type ReplayResult = z.infer<typeof replaySchema>;

/**
 * Reads the results of a replay, one per log.
 * @throws EvicpressError
 */
export async function readReplays(path: string): Promise<ReplayResult[]> {
  const value = await readJson(path, 'a replay', 'Make one with `evicpress replay LOG`.');
  checkFormat(value, 'replay', path);
  const first = checkShape(replaySchema, value, path);
  if (!Array.isArray(first.logs)) return [first];
  return first.logs.map((log) => checkShape(replaySchema, log, path));
}
