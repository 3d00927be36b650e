import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { errors } from '../errors.js';
import { readJson } from './files.js';
import { checkFormat, checkShape, count, label, nonNegative, positive, source, tierName } from './schema.js';

/** Interpolated log-log, sizes ascending; of one transfer among those under way. */
const tableSchema = z.array(z.looseObject({ bytes: positive, seconds: positive }));

/** How long transfers in one direction take: an affine law, or a log-log table where that fits better. */
export const transferSchema = z.looseObject({
  latencySeconds: nonNegative,
  /** One stream. */
  bytesPerSecond: positive,
  medianRelativeError: nonNegative.optional(),
  /** All streams together; the latency of each, where it differs from that of one stream alone. */
  byStreams: z
    .array(
      z.looseObject({
        streams: count.min(1),
        bytesPerSecond: positive,
        latencySeconds: nonNegative.optional(),
        table: tableSchema.optional(),
      }),
    )
    .optional(),
  /** Replaces the affine law. */
  table: tableSchema.optional(),
});
/** How long bytes take to or from a tier: a line or a table over sizes, per number of streams; bytes and seconds. */
export type Transfer = z.infer<typeof transferSchema>;

export const tierSchema = z.looseObject({
  name: tierName,
  kind: label,
  /** Of a folder: as it is found from the profile's own folder. */
  location: z.string().optional(),
  /** null: unlimited. */
  capacityBytes: nonNegative.nullable(),
  /** Room the engine needs for itself (staging); plans use capacity less this. */
  reservedBytes: nonNegative.optional(),
  scope: z.enum(['rank', 'node', 'cluster']).optional(),
  read: transferSchema,
  write: transferSchema.optional(),
  source: source.optional(),
  tool: z.string().optional(),
  measuredAt: z.string().optional(),
  /** Money per GB (10^9 bytes) and month, for budgets. */
  pricePerGbMonth: nonNegative.optional(),
  samples: z.array(z.looseObject({ bytes: positive, streams: count.min(1), seconds: positive })).optional(),
});
/** One tier: capacity in bytes, its transfers, its verdict and how each figure is known. */
export type Tier = z.infer<typeof tierSchema>;

export const tiersSchema = z.looseObject({
  format: z.string().optional(),
  version: z.number().optional(),
  /** Fast to slow. */
  tiers: z.array(tierSchema).min(1, 'expected at least one tier'),
  host: z.looseObject({}).optional(),
});
/** A tiers.json: the host and its tiers, fastest first. */
export type TierProfile = z.infer<typeof tiersSchema>;

/**
 * Reads a tier profile.
 * @throws EvicpressError on a missing, broken or contradictory file.
 */
export async function readTiers(path: string): Promise<TierProfile> {
  const value = await readJson(path, 'a tier profile', 'Measure one with `evicpress profile tiers`.');
  const profile = checkTiers(value, path);
  return { ...profile, tiers: profile.tiers.map((tier) => foundFrom(path, tier)) };
}

/** Kinds of tier whose location is a folder. */
const FOLDERS: readonly string[] = ['file', 'lmcache'];

/**
 * A tier whose folder is named for good: a relative one, which only profiles written by hand have, is meant from where
 * the profile lies. Of a profile that comes through a pipe, that is the working folder.
 */
function foundFrom(path: string, tier: Tier): Tier {
  if (tier.location === undefined || tier.location === '' || !FOLDERS.includes(tier.kind)) return tier;
  const base = statSync(path, { throwIfNoEntry: false })?.isFile() === true ? dirname(path) : '.';
  return { ...tier, location: resolve(base, tier.location) };
}

/** Checks a tier profile that is already parsed. @throws EvicpressError */
export function checkTiers(value: unknown, path: string): TierProfile {
  checkFormat(value, 'tiers', path);
  const profile = checkShape(tiersSchema, value, path);
  const seen = new Set<string>();
  profile.tiers.forEach((tier, i) => {
    if (seen.has(tier.name))
      throw errors.badFile(
        path,
        undefined,
        `tiers[${i}]: tier "${tier.name}" is named twice. Give each tier a name of its own.`,
      );
    if (tier.name === 'recompute')
      throw errors.badFile(
        path,
        undefined,
        `tiers[${i}]: "recompute" is not a tier but the option to keep nothing. Choose another name.`,
      );
    seen.add(tier.name);
    const tables = [tier.read, tier.write].flatMap((transfer) => [
      transfer?.table,
      ...(transfer?.byStreams ?? []).map((point) => point.table),
    ]);
    for (const table of tables) {
      table?.forEach((point, k) => {
        if (k > 0 && point.bytes <= table[k - 1]!.bytes) {
          throw errors.badFile(
            path,
            undefined,
            `tiers[${i}]: the sizes of its table must ascend (entry ${k}).`,
          );
        }
      });
    }
  });
  return profile;
}
