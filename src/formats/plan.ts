import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as z from 'zod';
import { errors, printable } from '../errors.js';
import { decodeLine, writePieces } from './files.js';
import { readLineBatches } from './line-batches.js';
import { PlainRows } from './plain-rows.js';
import {
  checkFormat,
  checkShape,
  count,
  fraction,
  isFraction,
  isLabel,
  isNonNegative,
  isRatio,
  isShare,
  isTierName,
  label,
  nonNegative,
  parseJson,
  ratio,
  tierName,
} from './schema.js';

/** A mean quality that was asked for is met by a plan whose quality lies at most this much above. */
export const QUALITY_STEP = 1e-3;

/** What an engine or the replay does with a context of a class the plan has no row for. */
export const classRuleSchema = z.looseObject({
  class: label.optional(),
  tenant: label.optional(),
  /** Expected reuses of a context of this class per period, as the history had them. */
  accesses: nonNegative,
  /** Reusable tokens of a request that uses such a context, the mean: quality is lost by the request, not by the chunk. */
  requestTokens: z.number().positive().optional(),
  method: label,
  compressionRatio: ratio,
  /** storedBytes / fullBytes of that method and ratio. */
  bytesFraction: nonNegative,
  quality: fraction,
});
export type ClassRule = z.infer<typeof classRuleSchema>;

/** Rules for contexts nobody has seen (design: prices, expected rates by class, half-life, fallback). */
export const rulesSchema = z.looseObject({
  /** The policy to fall back to. */
  fallback: z.string().optional(),
  /** Half-life of the decay of access counts, in seconds. */
  halfLifeSeconds: z.number().positive().optional(),
  /** Seconds to recompute a token, the mean over the plan's contexts. */
  prefillSecondsPerToken: nonNegative.optional(),
  classes: z.array(classRuleSchema).optional(),
});
/** What a plan says of contexts it does not name: prices, rates and levels by class. */
export type Rules = z.infer<typeof rulesSchema>;

export const planTierSchema = z.looseObject({
  name: tierName,
  kind: z.string().optional(),
  /** Less what the engine reserves. */
  capacityBytes: nonNegative.nullable(),
  /** Room of the tier that the engine needs for itself, besides. */
  reservedBytes: nonNegative.optional(),
  usedBytes: nonNegative,
  /** Utility lost per period if the tier had one byte less, in seconds. */
  price: nonNegative,
  /** One stream, as the profile has it: with prices and rules an engine can judge contexts nobody planned. */
  readBytesPerSecond: z.number().positive().optional(),
  /** Money per GB and month, where it has a price. */
  pricePerGbMonth: nonNegative.optional(),
});

/** What a plan had to keep to beyond capacities; nothing that was not asked for. */
export const demandsSchema = z.looseObject({
  minQuality: fraction.optional(),
  minQualityOfClass: z.record(z.string(), fraction).optional(),
  /** Tiers that no context may use, or recompute. */
  forbidden: z.array(label).optional(),
  /** Share of each tier's bandwidth that loads may use. */
  bandwidthShare: fraction.optional(),
  tenantShares: z.array(z.looseObject({ tenant: label, tier: label, share: fraction })).optional(),
  /** Bytes by tier; null is no limit. */
  writtenBytesPerDay: z.record(z.string(), nonNegative.nullable()).optional(),
  moneyPerMonth: nonNegative.optional(),
  /** Seconds of TTFT per period that a unit of money per month is worth. */
  secondsPerMoney: nonNegative.optional(),
});
export type Demands = z.infer<typeof demandsSchema>;

/** A limit beyond the tiers' capacities that the plan keeps, with its price. */
export const planLimitSchema = z.looseObject({
  kind: z.enum(['bandwidth', 'tenant', 'writes', 'money']),
  tier: label.optional(),
  tenant: label.optional(),
  /** Bytes (of a tenant; loaded or written per period) or money per month. */
  limit: nonNegative,
  used: nonNegative,
  /** Utility lost per period if the limit were one unit lower, in seconds. */
  price: nonNegative,
});

export const planHeaderSchema = z.looseObject({
  format: z.literal('evicpress.plan'),
  version: z.number(),
  generation: count,
  model: z.string().nullable(),
  periodSeconds: z.number().positive().nullable(),
  objective: z.looseObject({
    alpha: nonNegative,
    minQuality: fraction.optional(),
    minQualityOfClass: z.record(z.string(), fraction).optional(),
    confidence: z.number().optional(),
    /** The targets that alpha was solved for. */
    meanQuality: fraction.optional(),
    maxMeanTtftSeconds: nonNegative.optional(),
  }),
  /** Absent in plans of former versions, which do not say. */
  demands: demandsSchema.optional(),
  /** The engine it was made for: only what that can carry out was offered. */
  engine: z.string().optional(),
  tiers: z.array(planTierSchema),
  limits: z.array(planLimitSchema).optional(),
  summary: z.looseObject({
    contexts: count,
    utility: z.number(),
    bound: z.number(),
    relaxationBound: z.number(),
    gap: z.number(),
    gapOfSpan: z.number(),
    meanTtftSeconds: z.number(),
    meanQuality: z.number(),
    /** What the stored bytes cost, where tiers have a price. */
    moneyPerMonth: nonNegative.optional(),
    solver: z.string(),
  }),
  rules: rulesSchema,
  inputs: z.array(z.looseObject({ path: z.string(), sha256: z.string() })),
});
/** The first line of a plan: inputs, prices, bound and summary. */
export type PlanHeader = z.infer<typeof planHeaderSchema>;

export const placementSchema = z.looseObject({
  context: label,
  parent: label.optional(),
  tier: label,
  method: label,
  compressionRatio: ratio,
  storedBytes: nonNegative,
  quality: fraction,
  ttftSeconds: nonNegative,
  accesses: nonNegative,
  requestShare: z.number().positive().max(1).optional(),
  keys: z
    .looseObject({
      engine: label,
      chunkSize: count,
      salt: z.string().optional(),
      hashes: z.array(z.string()),
    })
    .optional(),
  builtFrom: z.looseObject({ method: label, compressionRatio: ratio }).optional(),
});
/** One context's option, as the plan's row has it. */
export type Placement = z.infer<typeof placementSchema>;

/** The fields of `placementSchema` that the rows of a plan without an engine's keys have. */
const plainPlacements = () =>
  new PlainRows<Placement & { decompressSeconds: number }>(
    ['context', 'tier', 'method', 'compressionRatio', 'storedBytes', 'quality', 'ttftSeconds', 'accesses'],
    {
      context: { holds: 'id', test: isLabel },
      parent: { holds: 'id', test: isLabel },
      tier: { holds: 'name', test: isTierName },
      method: { holds: 'name', test: isLabel },
      compressionRatio: { holds: 'number', test: isRatio },
      storedBytes: { holds: 'number', test: isNonNegative },
      quality: { holds: 'number', test: isFraction },
      ttftSeconds: { holds: 'number', test: isNonNegative },
      accesses: { holds: 'number', test: isNonNegative },
      requestShare: { holds: 'number', test: isShare },
      decompressSeconds: { holds: 'number', test: isNonNegative },
    },
  );

/** A plan read whole: its header and a placement for every context. */
export interface Plan {
  readonly header: PlanHeader;
  readonly rows: readonly Placement[];
}

export const endSchema = z.looseObject({ end: z.literal(true), rows: count, sha256: z.string() });

/**
 * Writes a plan whole or not at all; its last line carries the number of rows and the sha256 of every byte
 * before it, so that a reader can tell a torn file from a whole one.
 * @returns the sha256 of the last line.
 * @throws EvicpressError when it cannot be written.
 */
export async function writePlan(
  path: string,
  header: PlanHeader,
  rows: Iterable<Placement>,
): Promise<string> {
  let digest = '';
  await writePieces(
    path,
    planPieces(header, rows, (sha256) => {
      digest = sha256;
    }),
  );
  return digest;
}

/** A plan's text in pieces of about a megabyte. */
export function* planPieces(
  header: PlanHeader,
  rows: Iterable<Placement>,
  onEnd?: (sha256: string) => void,
): Generator<string> {
  const hash = createHash('sha256');
  let piece = `${JSON.stringify(header)}\n`;
  let written = 0;
  for (const row of rows) {
    piece += `${JSON.stringify(row)}\n`;
    written++;
    if (piece.length >= 1 << 20) {
      hash.update(piece);
      yield piece;
      piece = '';
    }
  }
  hash.update(piece);
  const sha256 = hash.digest('hex');
  yield `${piece}${JSON.stringify({ end: true, rows: written, sha256 })}\n`;
  onEnd?.(sha256);
}

/**
 * Reads a plan and checks that it is whole.
 * @throws EvicpressError with file and line; a plan that is cut short or altered is refused.
 */
export async function readPlan(path: string): Promise<Plan> {
  const rows: Placement[] = [];
  const { header } = await scanPlan(path, (row) => rows.push(row));
  return { header, rows };
}

/** Reads a plan row by row without keeping the rows. @throws EvicpressError */
export async function scanPlan(
  path: string,
  onRow: (row: Placement, line: number) => void,
): Promise<{ header: PlanHeader }> {
  if (!existsSync(path))
    throw errors.missingFile(path, 'a plan', 'Make one with `evicpress plan`; `evicpress demo` shows how.');
  const hash = createHash('sha256');
  const plain = plainPlacements();
  let header: PlanHeader | undefined;
  let ended = false;
  let rowCount = 0;
  const seen = new Set<string>();
  const onPlacement = (row: Placement, line: number) => {
    if (seen.has(row.context))
      throw errors.badFile(path, line, `context "${printable(row.context)}" is placed twice.`);
    seen.add(row.context);
    rowCount++;
    onRow(row, line);
  };
  const checkEnd = (value: object, line: number) => {
    const end = checkShape(endSchema, value, path, line);
    if (end.rows !== rowCount)
      throw errors.badFile(
        path,
        line,
        `the plan is not whole: its end counts ${end.rows} rows, the file has ${rowCount}. Write it again with \`evicpress plan\`.`,
      );
    if (end.sha256 !== hash.digest('hex'))
      throw errors.badFile(
        path,
        line,
        'the plan was altered after it was written (its sha256 does not match). Write it again with `evicpress plan`.',
      );
    ended = true;
  };
  for await (const batch of readLineBatches(path)) {
    const { bytes, ends, firstLine } = batch;
    for (let i = 0, start = 0; i < ends.length; start = ends[i]! + 1, i++) {
      const end = ends[i]!;
      const line = firstLine + i;
      if (end === start) continue;
      if (ended) throw errors.badFile(path, line, 'there is text after the end of the plan.');
      const row = header === undefined ? undefined : plain.parse(bytes, start, end);
      if (row !== undefined) {
        onPlacement(row, line);
        continue;
      }
      const value = parseJson(decodeLine(path, batch, i), path, line, end === bytes.length);
      if (header === undefined) {
        checkFormat(value, 'plan', path, line);
        header = checkShape(planHeaderSchema, value, path, line);
      } else if (typeof value === 'object' && value !== null && 'end' in value) {
        hash.update(bytes.subarray(0, start));
        checkEnd(value, line);
      } else onPlacement(checkShape(placementSchema, value, path, line), line);
    }
    if (!ended) hash.update(bytes);
  }
  if (header === undefined) throw errors.emptyFile(path, 'a plan');
  if (!ended)
    throw errors.badFile(
      path,
      undefined,
      'the plan is cut short: its last line is missing. Write it again with `evicpress plan`.',
    );
  return { header };
}
