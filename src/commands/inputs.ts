import { createHash } from 'node:crypto';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type EvicpressError, errors, naming, printable } from '../errors.js';
import { isModelFile, loadModel, PROFILES_FOLDER, profilePath, RESULTS_FOLDER } from '../formats/bundled.js';
import { type Config, readConfig } from '../formats/config.js';
import { METRICS, type MethodProfile, type MethodRow, readMethods } from '../formats/methods.js';
import type { Model } from '../formats/model.js';
import { RANGES } from '../formats/option-values.js';
import { readTiers, type Tier } from '../formats/tiers.js';
import { pick } from '../registry.js';
import { lacksUnit, parseBytes, parseNumber } from '../units.js';
import { readPairs } from './constraints.js';
import { expectKnownTiers } from './known-tiers.js';

/** The flags that say what is planned for and with; each falls back to evicpress.yaml, then to what lies in .evicpress. */
export interface InputFlags {
  readonly tiers?: string;
  readonly methods?: string;
  readonly model?: string;
  readonly capacity?: readonly string[];
  /** Bytes that stand in for the capacity of tiers whose sizes are tried out, by `size --vary`. */
  readonly varied?: Readonly<Record<string, number>>;
  readonly price?: readonly string[];
  readonly metric?: string;
  readonly allowModelMismatch?: boolean;
}

/** The measurements a command works from, loaded and checked against each other. */
export interface Inputs {
  readonly config: Config;
  /** Fast to slow, capacities overridden. */
  readonly tiers: readonly Tier[];
  readonly model: Model;
  /** Rows of one metric; empty when no compression is offered. */
  readonly methods: MethodProfile;
  /** The profile speaks of another model: its figures are assumptions here. */
  readonly methodsAssumed: boolean;
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
  readonly warnings: readonly string[];
}

/** The commander options of these flags, for every command that plans. */
export const INPUT_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ['--tiers <file|name>', 'tier profile, or a bundled one (default: .evicpress/tiers.json)'],
  [
    '--methods <file|name|none>',
    'method profile; none offers no compression (default: .evicpress/methods.ndjson, else none)',
  ],
  ['--model <name|file>', 'the served model: KV bytes per token and prefill speed'],
  ['--metric <name>', 'the quality metric to plan on, where the profile has several'],
  ['--allow-model-mismatch', 'use a method profile of another model, marked as assumed'],
];

/**
 * Loads tiers, model and methods.
 * @param blockBytes what a block of the log weighs, for capacities given in blocks.
 * @throws EvicpressError naming the flag to set where something is missing or contradicts.
 */
export async function loadInputs(flags: InputFlags, blockBytes?: (model: Model) => number): Promise<Inputs> {
  const config = await readConfig('.');
  const warnings: string[] = [];
  const tiersFile = tiersPath(flags.tiers ?? config.tiers);
  const profile = await readTiers(tiersFile);
  const served = flags.model ?? config.model ?? missingModel();
  const model = await loadModel(served);
  const capacities = { ...config.capacity, ...readCapacities(flags.capacity ?? []) };
  const prices = readPairs(flags.price ?? [], '--price', 'TIER=MONEY', 'ssd=0.08');
  await expectKnownTiers(
    ['capacity', 'price'],
    flags,
    config,
    profile.tiers.map((tier) => tier.name),
  );
  const varied = flags.varied ?? {};
  for (const tier of Object.keys(varied))
    naming(`--vary ${printable(tier)}`, () => pick('tier', profile.tiers, tier));
  const sized = overrideCapacities(profile.tiers, capacities, blockBytes?.(model)).map((tier) =>
    Object.hasOwn(varied, tier.name) ? { ...tier, capacityBytes: varied[tier.name]! } : tier,
  );
  for (const [tier, size] of Object.entries(capacities))
    if (lacksUnit(size))
      warnings.push(`${tier} is given ${size} bytes. Write the unit, if one was meant: ${tier}=${size}GB.`);
  const tiers = overAllRanks(withPrices(sized, { ...config.price, ...prices }), model);
  const methodsFile = methodsPath(flags.methods ?? config.methods);
  const loaded: MethodProfile =
    methodsFile === undefined ? { header: {}, rows: [] } : await readMethods(methodsFile);
  const rows = ofOneMetric(loaded.rows, flags.metric, methodsFile ?? '');
  const methodsAssumed = isForeign(loaded, model);
  if (methodsAssumed && flags.allowModelMismatch !== true) throw mismatch(loaded, model, methodsFile!);
  if (methodsAssumed)
    warnings.push(`Quality figures are of ${profiledModel(loaded)}, not of ${model.name}: assumed.`);
  const files = [
    tiersFile,
    ...(methodsFile === undefined ? [] : [methodsFile]),
    ...(isModelFile(served) ? [served] : []),
  ];
  return {
    config,
    tiers,
    model,
    methods: { header: loaded.header, rows },
    methodsAssumed,
    files: await fingerprints(files),
    warnings,
  };
}

/** The files that `loadInputs` would read, for telling cheaply whether one of them changed. @throws EvicpressError */
export function inputPaths(flags: InputFlags, config: Config): string[] {
  const model = flags.model ?? config.model;
  const methods = methodsPath(flags.methods ?? config.methods);
  return [
    tiersPath(flags.tiers ?? config.tiers),
    ...(methods === undefined ? [] : [methods]),
    ...(model !== undefined && isModelFile(model) ? [model] : []),
  ];
}

/**
 * Files' names as plans record them, with the sha256 of their bytes; without what cannot be read once more: a pipe, a
 * table in S3.
 */
export async function fingerprints(paths: readonly string[]): Promise<{ path: string; sha256: string }[]> {
  const files = paths.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
  return Promise.all(
    files.map(async (path) => {
      const hash = createHash('sha256');
      for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
      const bundled = relative(PROFILES_FOLDER, path);
      return { path: bundled.startsWith('..') ? path : `bundled:${bundled}`, sha256: hash.digest('hex') };
    }),
  );
}

function tiersPath(given: string | undefined): string {
  if (given !== undefined) return profilePath('tiers', given);
  const measured = join(RESULTS_FOLDER, 'tiers.json');
  if (existsSync(measured)) return measured;
  throw errors.missingInput(
    'tier profile',
    'Measure one with `evicpress profile tiers`, or name a bundled one: --tiers h100-host.',
  );
}

function missingModel(): never {
  throw errors.missingInput(
    'model',
    'Name the served model: --model llama-3.1-8b (see `evicpress profile --list`), or a JSON file.',
  );
}

function methodsPath(given: string | undefined): string | undefined {
  if (given === 'none') return undefined;
  if (given !== undefined) return profilePath('methods', given);
  const measured = join(RESULTS_FOLDER, 'methods.ndjson');
  return existsSync(measured) ? measured : undefined;
}

/** Reads `--capacity TIER=SIZE` flags. @throws EvicpressError */
export function readCapacities(flags: readonly string[]): Record<string, string> {
  return readPairs(flags, '--capacity', 'TIER=SIZE', 'dram=80GB');
}

function overrideCapacities(
  tiers: readonly Tier[],
  capacities: Readonly<Record<string, string>>,
  blockBytes?: number,
): Tier[] {
  return tiers.map((tier) => {
    const given = capacities[tier.name];
    if (given === undefined) return tier;
    const bytes = naming(`--capacity ${tier.name}`, () => parseBytes(given, blockBytes));
    return { ...tier, capacityBytes: Number.isFinite(bytes) ? bytes : null };
  });
}

function withPrices(tiers: readonly Tier[], prices: Readonly<Record<string, string>>): readonly Tier[] {
  return tiers.map((tier) => {
    const price = prices[tier.name];
    return price === undefined
      ? tier
      : { ...tier, pricePerGbMonth: parseNumber(price, `--price ${tier.name}`, RANGES.price) };
  });
}

/**
 * What a tier that each tensor-parallel rank has of its own holds over all ranks: plans count the bytes of a context
 * over all ranks together. Its speed stays that of one rank, as the profile has it.
 */
function overAllRanks(tiers: readonly Tier[], model: Model): readonly Tier[] {
  return tiers.map((tier) => {
    const ranks = ranksOf(tier, model);
    if (ranks === 1) return tier;
    return {
      ...tier,
      capacityBytes: tier.capacityBytes === null ? null : tier.capacityBytes * ranks,
      reservedBytes: (tier.reservedBytes ?? 0) * ranks,
    };
  });
}

/** Of how many ranks a tier's room is counted: those of the model where each has the tier for itself, else 1. */
export function ranksOf({ scope }: Tier, model: Model): number {
  if (scope !== 'rank') return 1;
  return model.kvBytesPerToken / (model.kvBytesPerTokenPerRank ?? model.kvBytesPerToken);
}

function ofOneMetric(
  rows: readonly MethodRow[],
  wanted: string | undefined,
  path: string,
): readonly MethodRow[] {
  const metrics = [...new Set(rows.map((row) => row.metric ?? ''))];
  if (wanted !== undefined) {
    const known = rows.length > 0 ? metrics.filter((name) => name !== '') : METRICS;
    if (!known.some((name) => name === wanted)) throw errors.unknownName('metric', wanted, known);
    return rows.filter((row) => row.metric === wanted);
  }
  if (metrics.length > 1) {
    throw errors.badFile(
      path,
      undefined,
      `the profile mixes the metrics ${metrics.join(', ')}, and a plan uses one. Choose with --metric.`,
    );
  }
  return rows;
}

function profiledModel({ header, rows }: MethodProfile): string | undefined {
  return header.model ?? rows.find((row) => row.model !== undefined)?.model;
}

function isForeign(profile: MethodProfile, model: Model): boolean {
  const others = [profiledModel(profile), ...profile.rows.map((row) => row.model)].filter(
    (name) => name !== undefined,
  );
  if (others.some((name) => name !== model.name && name !== model.name.split('@')[0])) return true;
  const { kvDtype } = profile.header;
  return kvDtype !== undefined && model.kvDtype !== undefined && kvDtype !== model.kvDtype;
}

function mismatch(profile: MethodProfile, model: Model, path: string): EvicpressError {
  const dtype = profile.header.kvDtype === undefined ? '' : ` (${profile.header.kvDtype})`;
  return errors.badFile(
    path,
    undefined,
    `the profile is of model ${profiledModel(profile) ?? 'unnamed'}${dtype}, the plan is for ${model.name}${model.kvDtype === undefined ? '' : ` (${model.kvDtype})`}. Profile that model, or pass --allow-model-mismatch to use the figures as assumptions.`,
  );
}
