import * as z from 'zod';
import { checkFormat, checkShape, count, label, nonNegative, positive, source } from './schema.js';

/** A served model: what its KV cache weighs and how long it prefills. */
export const modelSchema = z.looseObject({
  name: label,
  kvBytesPerToken: positive,
  /** Bytes per token on each tensor-parallel rank; GQA heads replicate past the number of KV heads. */
  kvBytesPerTokenPerRank: positive.optional(),
  tensorParallel: count.min(1).optional(),
  /** What sliding-window layers take whatever the length. */
  kvFixedBytes: nonNegative.optional(),
  kvDtype: z.string().optional(),
  /** Prefill of n tokens takes secondsPerToken·n + secondsPerTokenSquared·n². */
  prefill: z.looseObject({
    secondsPerToken: nonNegative,
    secondsPerTokenSquared: nonNegative.optional().default(0),
  }),
  source: z.union([source, z.string()]).optional(),
});
/** What decides the bytes of a token and the seconds of a prefill. */
export type Model = z.infer<typeof modelSchema>;

/** Checks a model that is already parsed. @throws EvicpressError */
export function checkModel(value: unknown, path: string): Model {
  checkFormat(value, 'model', path);
  return checkShape(modelSchema, value, path);
}
