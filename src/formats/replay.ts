import { z } from 'zod';
import { count, fraction, nonNegative } from './schema.js';

const byTier = z.record(z.string(), z.number());

/** What one policy did with the scored part of a log. */
export const policyResultSchema = z.looseObject({
  policy: z.string(),
  /** By tier: share of the tokens that an unlimited cache would serve. */
  hitShare: byTier,
  prefixHitRate: fraction,
  documentHitRate: fraction.optional(),
  ttft: z.looseObject({ mean: nonNegative, p50: nonNegative, p90: nonNegative, p99: nonNegative }),
  meanQuality: fraction,
  p10Quality: fraction,
  bytesRead: byTier,
  bytesWritten: byTier,
  bytesMoved: nonNegative,
  /** Busy share of the prefill servers; above .95 the policy is marked saturated. */
  utilization: nonNegative,
  saturated: z.boolean().optional(),
});
export type PolicyResult = z.infer<typeof policyResultSchema>;

export const replaySchema = z.looseObject({
  format: z.literal('evicpress.replay'),
  version: z.number(),
  /** Requests of the whole log, and how many of them only warmed the caches. */
  requests: count,
  warm: count,
  policies: z.array(policyResultSchema),
});
export type ReplayResult = z.infer<typeof replaySchema>;
