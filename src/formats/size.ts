import * as z from 'zod';
import { readJson } from './files.js';
import { checkFormat, checkShape, fraction, nonNegative } from './schema.js';

const byTier = z.record(z.string(), z.number());

/** What the best plan gives at one set of capacities. */
export const sizePointSchema = z.looseObject({
  /** Bytes by tier, of the tiers that are varied. */
  capacities: byTier,
  meanTtftSeconds: nonNegative,
  meanQuality: fraction,
  /** Share of the reusable tokens that is kept rather than recomputed. */
  hitShare: nonNegative,
  moneyPerMonth: nonNegative.optional(),
  /** Utility lost per period if the tier had one byte less, in seconds. */
  price: byTier.optional(),
});
export type SizePoint = z.infer<typeof sizePointSchema>;

export const sizeSchema = z.looseObject({
  format: z.literal('evicpress.size'),
  version: z.number(),
  /** Seconds of TTFT that one unit of quality is worth, at all points. */
  alpha: nonNegative.optional(),
  /** What alpha was solved for. */
  meanQuality: fraction.optional(),
  points: z.array(sizePointSchema).min(1, 'expected at least one point'),
  /** The point past which more room gains little. */
  knee: z.looseObject({ capacities: byTier }).nullish(),
});
/** `size.json`: capacity planning. */
export type SizeResult = z.infer<typeof sizeSchema>;

/** Reads the result of `evicpress size`. @throws EvicpressError */
export async function readSize(path: string): Promise<SizeResult> {
  const value = await readJson(path, 'a size result', 'Make one with `evicpress size`.');
  checkFormat(value, 'size', path);
  return checkShape(sizeSchema, value, path);
}
