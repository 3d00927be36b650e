import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { EvicpressError, errors } from '../../errors.js';
import { jsonText, readText, systemFault } from '../../formats/files.js';
import { checkShape, count, nonNegative, parseJson } from '../../formats/schema.js';
import { transferSchema } from '../../formats/tiers.js';
import { logPositionSchema } from './log-position.js';
import { migrate, STATE_VERSION } from './migrations.js';
import { writeDurably } from './private-files.js';
import { EMPTY_WINDOW, windowSchema } from './window.js';

const evidenceOfCheck = z.looseObject({
  checkedAt: z.string(),
  /** Measured seconds over the profile's, by tier. */
  slowdown: z.number().positive().optional(),
  /** It could not be used at all. */
  gone: z.boolean().optional(),
});

/** What a plan promised when it was published, and from which request on it is held to that. */
export const promiseSchema = z.looseObject({
  generation: count,
  sha256: z.string(),
  publishedAt: z.string(),
  /** Requests counted when it was made. */
  atRequest: count,
  hitShare: z.number(),
  meanTtftSeconds: nonNegative,
  meanQuality: z.number(),
});
export type PlanPromise = z.infer<typeof promiseSchema>;

export const stateSchema = z.looseObject({
  format: z.literal('evicpress.state'),
  version: z.number(),
  log: z.looseObject({
    path: z.string(),
    format: z.string(),
    blockTokens: count,
    /** Where the block ids are an engine's own keys. */
    engineKeys: z
      .looseObject({
        engine: z.string(),
        chunkSize: count,
        model: z.string().exactOptional(),
        layout: z.string().exactOptional(),
        bytesPerToken: z.number().positive().exactOptional(),
      })
      .optional(),
    position: logPositionSchema.optional(),
    clock: z.looseObject({ logSeconds: z.number().nullable(), countedSeconds: nonNegative }),
  }),
  /** Over all time: requests counted, lines that were none. */
  requests: z.looseObject({ counted: count, bad: count }),
  window: windowSchema,
  /** Identity of each input file at the last finished turn. */
  inputs: z.record(z.string(), z.string()),
  promise: promiseSchema.nullable(),
  /** When tiers were probed last. */
  tierProbes: z.looseObject({ checkedAt: z.string().nullable() }),
  /** By tier: when it was probed last, and how slow it was. */
  tierChecks: z.record(z.string(), evidenceOfCheck),
  /** By tier: what a probe measured in place of the profile, for as long as the profile is the same file. */
  tierCorrections: z.record(
    z.string(),
    z.looseObject({ profile: z.string(), measuredAt: z.string(), read: transferSchema }),
  ),
  /** Requests counted when a turn last decided; equal again, the log has nothing new to say. */
  decidedAtRequest: count,
});
export type RefreshState = z.infer<typeof stateSchema>;

/** The state before the first turn. */
export function freshState(logPath: string): RefreshState {
  return {
    format: 'evicpress.state',
    version: STATE_VERSION,
    log: {
      path: logPath,
      format: '',
      blockTokens: 0,
      clock: { logSeconds: null, countedSeconds: 0 },
    },
    requests: { counted: 0, bad: 0 },
    window: EMPTY_WINDOW,
    inputs: {},
    promise: null,
    tierProbes: { checkedAt: null },
    tierChecks: {},
    tierCorrections: {},
    decidedAtRequest: 0,
  };
}

/** The state as it was found. */
export interface FoundState {
  readonly state: RefreshState | undefined;
  /** Why there is none although a file was there. */
  readonly damage: string | undefined;
}

/**
 * Reads the state, from any older version. What cannot be read counts as none: the log says everything again.
 * @throws EvicpressError on a state of a newer version, which must not be overwritten.
 */
export async function readState(folder: string): Promise<FoundState> {
  const path = statePath(folder);
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    if (error instanceof EvicpressError) return { state: undefined, damage: error.message };
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { state: undefined, damage: undefined };
    throw systemFault(error, path);
  }
  let value: unknown;
  try {
    value = parseJson(text, path);
  } catch {
    return { state: undefined, damage: `${path} was damaged: the log is read again from its beginning` };
  }
  const version = Number((value as { version?: unknown } | null)?.version);
  if (version > STATE_VERSION)
    throw errors.badFile(
      path,
      undefined,
      `the state is of version ${version}, this program knows up to ${STATE_VERSION}. Update evicpress, or move the folder away.`,
    );
  try {
    return { state: checkShape(stateSchema, migrate(value), path), damage: undefined };
  } catch (error) {
    if (!(error instanceof EvicpressError)) throw error;
    return { state: undefined, damage: `${error.message} The log is read again from its beginning.` };
  }
}

/** Keeps a damaged state for whoever wants to look at it. */
export async function setAsideDamaged(folder: string): Promise<void> {
  await rename(statePath(folder), `${statePath(folder)}.damaged`).catch(() => undefined);
}

/** @throws EvicpressError when it cannot be written; the old state stays. */
export async function writeState(folder: string, state: RefreshState): Promise<void> {
  await writeDurably(statePath(folder), jsonText(state));
}

export function statePath(folder: string): string {
  return join(folder, 'state.json');
}
