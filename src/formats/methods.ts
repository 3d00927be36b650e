import * as z from 'zod';
import { errors, printable } from '../errors.js';
import { readNdjson, writePieces } from './files.js';
import { ANY_CONTEXT } from './names.js';
import {
  checkFormat,
  checkShape,
  formatHeader,
  fraction,
  label,
  nonNegative,
  positive,
  ratio,
} from './schema.js';

/** What `quality` means in the profiles we measure; those of others may have more. */
export const METRICS = ['answer-similarity', 'token-agreement', 'calibrated-similarity'] as const;
export type Metric = (typeof METRICS)[number];

/** One measured point: what one method at one ratio does to one context. */
export const methodRowSchema = z.looseObject({
  context: label,
  class: label.optional(),
  tokens: nonNegative.optional(),
  fullBytes: positive,
  method: label,
  /** The nominal fraction of bytes removed. */
  compressionRatio: ratio,
  storedBytes: positive,
  quality: fraction,
  qualityStdError: nonNegative.optional(),
  tokenAgreement: fraction.optional(),
  klDivergence: nonNegative.optional(),
  /** The quality on queries that were held out. */
  heldOutQuality: fraction.optional(),
  /** Where right answers were given: the scores of the answers from the compressed cache and from the full one. */
  exactMatch: fraction.optional(),
  f1: fraction.optional(),
  fullExactMatch: fraction.optional(),
  fullF1: fraction.optional(),
  /** Not measured but believed, from what was: `qualityStdError` says how surely. */
  estimated: z.boolean().optional(),
  /** Pooled rows: the standard deviation of the quality between contexts. */
  qualitySpread: nonNegative.optional(),
  queries: nonNegative.optional(),
  metric: z.string().optional(),
  compressSeconds: nonNegative.optional(),
  decompressSeconds: nonNegative.optional(),
  model: z.string().optional(),
  runner: z.string().optional(),
});
/** Quality of one method at one compressionRatio (the fraction removed) on one context, or pooled. */
export type MethodRow = z.infer<typeof methodRowSchema>;

export const methodsHeaderSchema = z.looseObject({
  format: z.literal('evicpress.methods'),
  version: z.number(),
  model: z.string().optional(),
  kvDtype: z.string().optional(),
  source: z.string().optional(),
  /** What token agreement says about answer similarity; errors are on contexts left out one at a time. */
  calibration: z
    .looseObject({
      contexts: z.number(),
      points: z.number(),
      rmsError: z.number(),
      rmsErrorOfMean: z.number(),
    })
    .optional(),
  /** How well a context's quality is known before it is profiled; errors as above. */
  classes: z
    .looseObject({
      contexts: z.number(),
      classes: z.array(z.string()),
      errorOfMean: z.number(),
      errorOfDeclared: z.number().optional(),
      errorOfFeatures: z.number().optional(),
      agreement: z.number().optional(),
    })
    .optional(),
  /** Mean of |quality − quality on the queries held out|. */
  heldOutError: z.number().optional(),
});
/** The first line of a methods profile: model, runner, metric. */
export type MethodsHeader = z.infer<typeof methodsHeaderSchema>;

/** A method profile, whole in memory. */
export interface MethodProfile {
  readonly header: Partial<MethodsHeader>;
  readonly rows: readonly MethodRow[];
}

/**
 * Reads a method profile.
 * @throws EvicpressError with file and line of the first fault, also for a (context, class, method, ratio,
 *   metric) given twice.
 */
export async function readMethods(path: string): Promise<MethodProfile> {
  let header: Partial<MethodsHeader> = {};
  const rows: MethodRow[] = [];
  const lines = new Map<string, number>();
  await readNdjson(
    path,
    'a method profile',
    'Measure one with `evicpress profile methods`.',
    (value, line) => {
      if (line === 1 && isHeader(value)) {
        checkFormat(value, 'methods', path, line);
        header = value as Partial<MethodsHeader>;
        return;
      }
      const row = checkShape(methodRowSchema, value, path, line);
      const key = JSON.stringify([
        row.context,
        row.context === ANY_CONTEXT ? row.class : undefined,
        row.method,
        row.compressionRatio,
        row.metric,
      ]);
      const earlier = lines.get(key);
      if (earlier !== undefined) {
        throw errors.badFile(
          path,
          line,
          `context "${printable(row.context)}", method ${row.method} at ratio ${row.compressionRatio} was given before, on line ${earlier}. Keep one of the two.`,
        );
      }
      lines.set(key, line);
      rows.push(row);
    },
  );
  return { header, rows };
}

/** Writes a method profile whole or not at all. @param mode permissions of the file. @throws EvicpressError */
export async function writeMethods(
  path: string,
  header: Omit<MethodsHeader, 'format' | 'version'>,
  rows: readonly MethodRow[],
  mode?: number,
): Promise<void> {
  const lines = [{ ...formatHeader('methods'), ...header }, ...rows];
  await writePieces(
    path,
    lines.map((line) => `${JSON.stringify(line)}\n`),
    mode,
  );
}

/** Whether the first value of an NDJSON file is its header. */
export function isHeader(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'format' in value;
}
