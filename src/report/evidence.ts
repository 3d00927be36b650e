import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EvicpressError } from '../errors.js';
import { loadModel, PROFILES_FOLDER, profilePath, RESULTS_FOLDER } from '../formats/bundled.js';
import type { Config } from '../formats/config.js';
import { type MethodProfile, readMethods } from '../formats/methods.js';
import type { Model } from '../formats/model.js';
import type { PlanHeader } from '../formats/plan.js';
import { inputsOfPlan } from '../formats/plan-inputs.js';
import { type ReplayResult, readReplays } from '../formats/replay.js';
import { readSize, type SizeResult } from '../formats/size.js';
import { readTiers, type TierProfile } from '../formats/tiers.js';
import { type Placements, readPlacements } from './placements.js';

/** A file the report was made from. */
export interface EvidenceFile {
  readonly kind: 'plan' | 'tiers' | 'methods' | 'replay' | 'size';
  /** Its name without the folder: reports are passed on, folders are nobody else's business. */
  readonly name: string;
  /** When it was last written; undefined for what ships with the program. */
  readonly writtenAt: Date | undefined;
}

/** Everything a report can be made of; each part is there or not. */
export interface Evidence {
  readonly plan?: PlanEvidence;
  readonly tiers?: TierProfile;
  readonly methods?: MethodProfile;
  readonly model?: Model;
  readonly replays: readonly ReplayResult[];
  readonly size?: SizeResult;
  readonly files: readonly EvidenceFile[];
  readonly warnings: readonly string[];
}

export interface PlanEvidence {
  readonly header: PlanHeader;
  readonly placements: Placements;
}

/** Where to look; each falls back to the plan's own inputs, then to what lies in .evicpress. */
export interface EvidencePaths {
  readonly plan?: string;
  readonly tiers?: string;
  readonly methods?: string;
  readonly model?: string;
  readonly replay?: string;
  readonly size?: string;
}

/**
 * Gathers whatever results exist.
 * @throws EvicpressError where a named or found file is broken, or where nothing is there at all.
 */
export async function gatherEvidence(paths: EvidencePaths, config: Config): Promise<Evidence> {
  const files: EvidenceFile[] = [];
  const warnings: string[] = [];
  const note = async (kind: EvidenceFile['kind'], path: string) => {
    const bundled = path.startsWith(PROFILES_FOLDER);
    const writtenAt = bundled ? undefined : (await stat(path)).mtime;
    files.push({
      kind,
      name: bundled ? `bundled ${path.slice(PROFILES_FOLDER.length)}` : basename(path),
      writtenAt,
    });
  };
  const read = async <T>(
    kind: EvidenceFile['kind'],
    path: string | undefined,
    reader: (path: string) => Promise<T>,
  ): Promise<T | undefined> => {
    if (path === undefined) return undefined;
    const value = await reader(path);
    await note(kind, path);
    return value;
  };
  const plan = await read('plan', paths.plan ?? found('plan.ndjson'), readPlacements);
  const inputs = await inputsOfPlan(plan?.header);
  for (const name of inputs.changed) warnings.push(`${name} has changed since the plan was made from it.`);
  const tiers = await read(
    'tiers',
    named('tiers', paths.tiers) ?? inputs.tiers ?? found('tiers.json') ?? named('tiers', config.tiers),
    readTiers,
  );
  const methods = await read(
    'methods',
    paths.methods === 'none'
      ? undefined
      : (named('methods', paths.methods) ??
          inputs.methods ??
          found('methods.ndjson') ??
          named('methods', config.methods === 'none' ? undefined : config.methods)),
    readMethods,
  );
  const replays = (await read('replay', paths.replay ?? found('replay.json'), readReplays)) ?? [];
  const size = await read('size', paths.size ?? found('size.json'), readSize);
  const model = await findModel(paths.model ?? inputs.model, plan?.header.model ?? config.model, warnings);
  if (files.length === 0) {
    throw new EvicpressError(
      `Nothing to report: there is no plan, profile or replay in ${RESULTS_FOLDER}. Make a plan first: evicpress plan --trace requests.jsonl --tiers h100-host --model llama-3.1-8b; or look at one: evicpress demo`,
    );
  }
  return {
    ...(plan === undefined ? {} : { plan }),
    ...(tiers === undefined ? {} : { tiers }),
    ...(methods === undefined ? {} : { methods }),
    ...(model === undefined ? {} : { model }),
    replays,
    ...(size === undefined ? {} : { size }),
    files,
    warnings,
  };
}

function found(name: string): string | undefined {
  const path = join(RESULTS_FOLDER, name);
  return existsSync(path) ? path : undefined;
}

function named(kind: 'tiers' | 'methods', nameOrPath: string | undefined): string | undefined {
  return nameOrPath === undefined ? undefined : profilePath(kind, nameOrPath);
}

async function findModel(
  given: string | undefined,
  recorded: string | null | undefined,
  warnings: string[],
): Promise<Model | undefined> {
  if (given !== undefined) return loadModel(given);
  if (recorded === undefined || recorded === null) return undefined;
  try {
    return await loadModel(recorded);
  } catch (error) {
    if (!(error instanceof EvicpressError)) throw error;
    warnings.push(
      `The plan's model ${recorded} is not a bundled one: name its file with --model to compare with computing anew.`,
    );
    return undefined;
  }
}
