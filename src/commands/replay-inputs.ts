import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EvicpressError, errors, printable } from '../errors.js';
import { loadModel, PROFILES_FOLDER, profilePath, RESULTS_FOLDER } from '../formats/bundled.js';
import type { Config } from '../formats/config.js';
import { readMethods } from '../formats/methods.js';
import type { Model } from '../formats/model.js';
import { readTiers, type Tier } from '../formats/tiers.js';
import { type CurveBook, fitCurves } from '../plan/curves.js';
import { parseBytes } from '../units.js';

const DEFAULT_TIERS = 'h100-host';
const DEFAULT_MODEL = 'llama-3.1-8b';

export interface InputFlags {
  readonly tiers?: string;
  readonly methods?: string;
  readonly model?: string;
  readonly capacity?: string[];
  readonly allowModelMismatch?: boolean;
}

export interface ReplayInputs {
  readonly tiers: readonly Tier[];
  readonly model: Model;
  readonly curves?: CurveBook;
  /** Where each input comes from, in words. */
  readonly sources: readonly string[];
}

/** The logs that are asked for, else the configured one, else the bundled excerpt. */
export function logPaths(
  named: readonly string[],
  config: Config,
): { paths: readonly string[]; bundled: boolean } {
  if (named.length > 0) return { paths: named, bundled: false };
  if (config.trace !== undefined) return { paths: [config.trace], bundled: false };
  return { paths: [join(PROFILES_FOLDER, 'traces', 'mooncake-conversation-1500.jsonl.gz')], bundled: true };
}

/**
 * Tiers, model and methods from flags, evicpress.yaml, earlier results or bundled references, in this order.
 * @param blockTokens tokens of a block of the log, for capacities in blocks; 0 where it has none.
 */
export async function replayInputs(
  flags: InputFlags,
  config: Config,
  blockTokens: number,
): Promise<ReplayInputs> {
  const measured = join(RESULTS_FOLDER, 'tiers.json');
  const tiersName = flags.tiers ?? config.tiers ?? (existsSync(measured) ? measured : DEFAULT_TIERS);
  const modelName = flags.model ?? config.model ?? DEFAULT_MODEL;
  const model = await loadModel(modelName);
  const profile = await readTiers(profilePath('tiers', tiersName));
  const blockBytes = blockTokens > 0 ? blockTokens * model.kvBytesPerToken : undefined;
  const given =
    flags.capacity ?? Object.entries(config.capacity ?? {}).map(([name, size]) => `${name}=${size}`);
  const tiers = withCapacities(profile.tiers, given, blockBytes);
  const sources = [
    `tiers ${tiersName} (${sourceOf(profile.tiers)})`,
    `model ${model.name} (${model.source ?? 'assumed'})`,
  ];
  const methods = flags.methods ?? config.methods ?? 'none';
  if (methods === 'none') return { tiers, model, sources };
  const { header, rows } = await readMethods(profilePath('methods', methods));
  const other = [header.model, ...rows.map((row) => row.model)].find(
    (name) => name !== undefined && name !== model.name,
  );
  if (other !== undefined && flags.allowModelMismatch !== true) {
    throw new EvicpressError(
      `${printable(methods)}: profiled on model "${printable(other)}", not on "${model.name}". Pass --model ${printable(other)}, or --allow-model-mismatch to assume that it carries over.`,
    );
  }
  sources.push(`methods ${methods}${other === undefined ? '' : ' (assumed: profiled on another model)'}`);
  return { tiers, model, curves: fitCurves(rows), sources };
}

function withCapacities(
  tiers: readonly Tier[],
  given: readonly string[],
  blockBytes: number | undefined,
): Tier[] {
  const sizes = new Map<string, number>();
  for (const text of given) {
    const at = text.indexOf('=');
    if (at <= 0) throw new EvicpressError(`--capacity "${printable(text)}": write it like dram=80GB.`);
    const name = text.slice(0, at);
    if (!tiers.some((tier) => tier.name === name))
      throw errors.unknownName(
        'tier',
        name,
        tiers.map((tier) => tier.name),
      );
    sizes.set(name, parseBytes(text.slice(at + 1), blockBytes));
  }
  return tiers.map((tier) => {
    const size = sizes.get(tier.name);
    if (size === undefined) return tier;
    return { ...tier, capacityBytes: Number.isFinite(size) ? size : null };
  });
}

function sourceOf(tiers: readonly Tier[]): string {
  return [...new Set(tiers.map((tier) => tier.source ?? 'assumed'))].join(', ');
}
