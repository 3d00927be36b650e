import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { profilePath, RESULTS_FOLDER } from '../../formats/bundled.js';
import { readConfig } from '../../formats/config.js';
import { type MethodRow, readMethods } from '../../formats/methods.js';
import { readTiers } from '../../formats/tiers.js';

/** The profiles that a plan for the checked contexts would be made with; without what is not there or cannot be read. */
export interface Surroundings {
  readonly tiers?: { readonly path: string; readonly names: readonly string[] };
  readonly methods?: {
    readonly path: string;
    /** The ratios profiled of each method. */
    readonly ratios: ReadonlyMap<string, ReadonlySet<number>>;
  };
}

/** The profiles among the checked files; else those that evicpress.yaml names; else the measured ones. */
export async function surroundingsOf(checked: readonly string[]): Promise<Surroundings> {
  const config = await readConfig('.').catch(() => ({}) as Awaited<ReturnType<typeof readConfig>>);
  const tiers = await firstThatReads(
    [...checked.filter((path) => path.endsWith('.json')), defaultPath('tiers', config.tiers)],
    readTiers,
  );
  const methods = await firstThatReads(
    [...checked.filter((path) => path.endsWith('.ndjson')), defaultPath('methods', config.methods)],
    readMethods,
  );
  return {
    ...(tiers && { tiers: { path: tiers.path, names: tiers.profile.tiers.map(({ name }) => name) } }),
    ...(methods && { methods: { path: methods.path, ratios: ratiosOf(methods.profile.rows) } }),
  };
}

function ratiosOf(rows: readonly MethodRow[]): Map<string, Set<number>> {
  const ratios = new Map<string, Set<number>>();
  for (const { method, compressionRatio } of rows)
    ratios.set(method, (ratios.get(method) ?? new Set()).add(compressionRatio));
  return ratios;
}

function defaultPath(kind: 'tiers' | 'methods', named: string | undefined): string | undefined {
  if (named === undefined) return join(RESULTS_FOLDER, kind === 'tiers' ? 'tiers.json' : 'methods.ndjson');
  try {
    return profilePath(kind, named);
  } catch {
    return undefined;
  }
}

async function firstThatReads<T>(
  paths: readonly (string | undefined)[],
  read: (path: string) => Promise<T>,
): Promise<{ readonly path: string; readonly profile: T } | undefined> {
  for (const path of paths) {
    if (path === undefined || !existsSync(path)) continue;
    const profile = await read(path).catch(() => undefined);
    if (profile !== undefined) return { path, profile };
  }
  return undefined;
}
