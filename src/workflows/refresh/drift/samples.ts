import { stat } from 'node:fs/promises';
import * as z from 'zod';
import { readNdjson } from '../../../formats/files.js';
import { checkShape, fraction, label, ratio } from '../../../formats/schema.js';

/** Only the last so many samples count: quality is judged as it is now. */
const MOST_SAMPLES = 10_000;

/** The quality of one answer that an engine gave from a compressed cache, as somebody measured it online. */
export const qualitySampleSchema = z.looseObject({
  method: label,
  /** May be left out of a method that the profile has at one ratio only. */
  compressionRatio: ratio.optional(),
  quality: fraction,
  context: label.optional(),
  class: label.optional(),
});
export type QualitySample = z.infer<typeof qualitySampleSchema>;

/**
 * Reads online quality samples; a file that is not there yet holds none.
 * @throws EvicpressError with file and line of the first fault.
 */
export async function readSamples(path: string): Promise<QualitySample[]> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined || (info.isFile() && info.size === 0)) return [];
  const samples: QualitySample[] = [];
  await readNdjson(path, 'quality samples', 'See docs/refresh.md for their form.', (value, line) => {
    samples.push(checkShape(qualitySampleSchema, value, path, line));
    if (samples.length >= 2 * MOST_SAMPLES) samples.splice(0, MOST_SAMPLES);
  });
  return samples.slice(-MOST_SAMPLES);
}
