import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { EvicpressError, errors, naming } from '../errors.js';
import { loadModel, RESULTS_FOLDER } from '../formats/bundled.js';
import { readConfig } from '../formats/config.js';
import { expectWritable, jsonText, writeWhole } from '../formats/files.js';
import type { Model } from '../formats/model.js';
import { parseSeed, RANGES } from '../formats/option-values.js';
import { formatHeader } from '../formats/schema.js';
import { readTiers, type Tier } from '../formats/tiers.js';
import { pick } from '../registry.js';
import { openTerminal, type Terminal, type TerminalFlags } from '../report/terminal.js';
import { tierChart } from '../report/tier-chart.js';
import { shellWord } from '../shell-word.js';
import { describeHost } from '../tiers/host.js';
import { besideKinds, tierKinds } from '../tiers/index.js';
import type { BesideFigures, MeasureSettings, TierTarget } from '../tiers/kind.js';
import { parseTargets } from '../tiers/targets.js';
import { parseBytes, parseNumber } from '../units.js';
import { listProfiles } from './profile-list.js';
import { printTiers } from './tiers-table.js';

const DEFAULT_SECONDS = '20';
const QUICK_SECONDS = '4';
const DEFAULT_STREAMS = '1,2,4,8';
const QUICK_STREAMS = '1,4';
const QUICK_SIZES = '1MB,4MB,16MB,64MB';

interface Flags extends TerminalFlags {
  readonly tier?: string[];
  readonly secondsPerTier?: string;
  readonly sizes?: string;
  readonly streams?: string;
  readonly scratch?: string;
  readonly capacity?: string[];
  readonly model?: string;
  readonly seed: string;
  readonly quick?: boolean;
  readonly strict?: boolean;
  readonly chart?: boolean;
  readonly output?: string;
  readonly list?: boolean;
}

/** `evicpress profile tiers`: measures the tiers and writes `tiers.json`. */
export function addProfileTiers(command: Command): Command {
  const kinds = [...tierKinds, ...besideKinds].map((kind) => `${kind.name} = ${kind.summary}`).join('; ');
  return command
    .description('measure storage tiers: latency and bandwidth by size and number of streams')
    .option('--tier <name=kind[:location]>', `a tier to measure, repeatable (${kinds})`, collect)
    .option('--seconds-per-tier <n>', `measuring time for each tier (default: ${DEFAULT_SECONDS})`)
    .option('--sizes <list>', 'object sizes, e.g. 1MB,16MB,256MB')
    .option('--streams <list>', `transfers at once (default: ${DEFAULT_STREAMS})`)
    .option('--scratch <size>', 'the most room that test data may take on each tier')
    .option('--capacity <tier=size>', 'room the cache may have, repeatable', collect)
    .option('--model <name>', 'the model an engine serves: written with its measured prefill')
    .option('--seed <n>', 'order of the measurements', '1')
    .option('--quick', `a first look: ${QUICK_SECONDS} s for each tier, fewer sizes and streams`)
    .option('--chart', 'draw bandwidth by size and streams, with the fit')
    .option('--strict', 'exit 3 when a tier cannot be trusted')
    .option('-o, --output <file>', 'where to write the profile (default: .evicpress/tiers.json)')
    .addHelpText(
      'after',
      `
Examples:
  evicpress profile tiers --tier dram=dram --tier ssd=file:/mnt/nvme
  evicpress profile tiers --tier ssd=file:/mnt/nvme --quick --chart`,
    )
    .action(async (_, action: Command) => profileTiers(action.optsWithGlobals<Flags>()));
}

async function profileTiers(flags: Flags): Promise<void> {
  const terminal = openTerminal(flags);
  if (flags.list === true) return listProfiles(terminal);
  const config = await readConfig('.');
  const targets = parseTargets(flags.tier ?? fromConfig(config.profile?.tier) ?? defaultTiers());
  // evicpress.yaml may give room to tiers that are not measured now.
  const configured = Object.entries(config.capacity ?? {}).filter(([name]) =>
    targets.some((target) => target.name === name),
  );
  const capacities = parseCapacities(flags.capacity ?? configured.map((entry) => entry.join('=')), targets);
  const settings = readSettings(flags, config.profile?.secondsPerTier);
  const model = targets.some((target) => target.kind === 'engine')
    ? await servedModel(flags.model ?? config.model)
    : undefined;
  if (flags.model !== undefined && model === undefined)
    terminal.warn(
      '--model goes with the prefill that a tier of kind engine shows; none is measured, so it is not used.',
    );
  const output = flags.output ?? join(RESULTS_FOLDER, 'tiers.json');
  await expectWritable(output);
  const earlier = await earlierTiers(output);

  const { tiers, beside } = await untilInterrupted((signal) =>
    measureAll(targets, capacities, earlier, { ...settings, signal, onProgress: terminal.progress }),
  ).finally(() => terminal.finish());

  const profile = { ...formatHeader('tiers'), tiers, ...byField(beside), host: describeHost() };
  const written = await writeProfile(profile, output, model);
  // With `-o -` standard output is the profile and nothing else.
  if (output !== '-') {
    if (tiers.length > 0) printTiers(terminal, tiers);
    for (const { name, summary } of beside) terminal.say(`  ${name}: ${summary}`);
    if (flags.chart === true) for (const tier of tiers) terminal.say(`\n${tierChart(tier) ?? ''}`);
    terminal.say(`\nWritten to ${written.join(' and ')}.`);
    const named = flags.output === undefined ? '' : ` --tiers ${shellWord(flags.output)}`;
    terminal.next(
      `evicpress plan --trace requests.jsonl${named}`,
      'where every context of your log should live',
    );
    terminal.result({ ...profile, output });
  }
  if (flags.strict === true) refuseBad(tiers, terminal);
}

/** The model that an engine serves, known before anything is measured. @throws EvicpressError */
function servedModel(name: string | undefined): Promise<Model> {
  if (name !== undefined) return loadModel(name);
  throw errors.missingInput(
    'model to go with the measured prefill',
    'Name the model the engine serves: --model llama-3.1-8b (see `evicpress profile --list`).',
  );
}

/** What is measured, fast to slow, and what belongs beside it. */
interface AllMeasured {
  readonly tiers: Tier[];
  readonly beside: BesideFigures[];
}

async function measureAll(
  targets: readonly TierTarget[],
  capacities: ReadonlyMap<string, number | null>,
  earlier: readonly Tier[],
  settings: MeasureSettings,
): Promise<AllMeasured> {
  const measured: AllMeasured = { tiers: [], beside: [] };
  for (const target of targets) {
    await pick('tier kind', [...tierKinds, ...besideKinds], target.kind).check?.(target, settings);
  }
  for (const target of targets) {
    const other = besideKinds.find((kind) => kind.name === target.kind);
    if (other !== undefined) {
      measured.beside.push(await other.measure(target, settings));
      continue;
    }
    const kind = pick('tier kind', tierKinds, target.kind);
    const capacityBytes = capacities.get(target.name);
    const before = earlier.find((tier) => tier.name === target.name && tier.kind === target.kind);
    const own = {
      ...settings,
      ...(capacityBytes === undefined ? {} : { capacityBytes }),
      ...(before === undefined ? {} : { earlier: before }),
    };
    measured.tiers.push(await kind.measure(target, own));
  }
  return measured;
}

/**
 * What the last run wrote where this one will write, as far as it could be trusted: how well it predicts this run
 * is the variation from run to run.
 */
async function earlierTiers(output: string): Promise<Tier[]> {
  if (output === '-' || !existsSync(output)) return [];
  const profile = await readTiers(output).catch(() => undefined);
  return (profile?.tiers ?? []).filter((tier) => tier.source === 'measured' && verdictLevel(tier) !== 'bad');
}

function verdictLevel(tier: Tier): string | undefined {
  return (tier as { verdict?: { level: string } }).verdict?.level;
}

/** `{links: [...], engines: [...]}`, without the fields that would be empty. */
function byField(figures: readonly BesideFigures[]): Record<string, BesideFigures[]> {
  const fields: Record<string, BesideFigures[]> = {};
  for (const one of figures) {
    const { field } = pick('tier kind', besideKinds, one.kind);
    fields[field] = [...(fields[field] ?? []), one];
  }
  return fields;
}

/**
 * Writes the profile, unless there is no tier in it; and beside it the model with the prefill speed that an engine
 * has shown, where the model is named. @returns the files written.
 */
async function writeProfile(
  profile: { readonly tiers: readonly Tier[]; readonly engines?: readonly BesideFigures[] },
  output: string,
  served: Model | undefined,
): Promise<string[]> {
  const written: string[] = [];
  if (profile.tiers.length > 0) {
    await writeWhole(output, jsonText(profile));
    written.push(output);
  }
  const engine = profile.engines?.[0];
  if (engine === undefined || served === undefined) return written;
  const model = { ...served, prefill: engine.prefill, source: 'measured' };
  const path = join(output === '-' ? RESULTS_FOLDER : dirname(output), 'model.json');
  await writeWhole(path, jsonText({ ...formatHeader('model'), ...model }));
  return [...written, path];
}

function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

/** `{ssd: 'file:/mnt/nvme'}` of evicpress.yaml in the form of the flag. */
function fromConfig(entries: Readonly<Record<string, string>> | undefined): string[] | undefined {
  return entries === undefined ? undefined : Object.entries(entries).map(([name, text]) => `${name}=${text}`);
}

/** This machine's memory, and the disk where the results go. */
function defaultTiers(): string[] {
  return ['dram=dram', `disk=file:${existsSync(RESULTS_FOLDER) ? RESULTS_FOLDER : '.'}`];
}

function parseCapacities(
  texts: readonly string[],
  targets: readonly TierTarget[],
): Map<string, number | null> {
  const capacities = new Map<string, number | null>();
  for (const text of texts) {
    const [name, size] = splitAt(text, '=');
    if (size === undefined) {
      throw new EvicpressError(`--capacity: "${text}" is not TIER=SIZE. Write it like dram=80GB.`);
    }
    pick('tier', targets, name);
    const bytes = naming(`--capacity ${name}`, () => parseBytes(size));
    capacities.set(name, bytes === Number.POSITIVE_INFINITY ? null : bytes);
  }
  return capacities;
}

function splitAt(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function readSettings(
  flags: Flags,
  configuredSeconds: string | undefined,
): Omit<MeasureSettings, 'signal' | 'onProgress'> {
  const quick = flags.quick === true;
  const seconds = flags.secondsPerTier ?? (quick ? QUICK_SECONDS : (configuredSeconds ?? DEFAULT_SECONDS));
  const sizes = flags.sizes ?? (quick ? QUICK_SIZES : undefined);
  const streams = flags.streams ?? (quick ? QUICK_STREAMS : DEFAULT_STREAMS);
  return {
    seconds: parseNumber(seconds, '--seconds-per-tier', RANGES.secondsPerTier),
    ...(sizes === undefined ? {} : { sizes: ascending(sizes.split(','), (text) => parseSize(text)) }),
    streams: ascending(streams.split(','), (text) => parseStreams(text)),
    ...(flags.scratch === undefined ? {} : { scratchBytes: parseScratch(flags.scratch) }),
    seed: parseSeed(flags.seed, '--seed'),
  };
}

function ascending(texts: readonly string[], parse: (text: string) => number): number[] {
  return [...new Set(texts.map(parse))].sort((a, b) => a - b);
}

function parseSize(text: string): number {
  const bytes = naming('--sizes', () => parseBytes(text));
  if (bytes < 4096 || bytes > 2 ** 40) {
    throw new EvicpressError(`--sizes: "${text}" is not a size to measure. Write sizes from 4KiB to 1TiB.`);
  }
  return bytes;
}

function parseStreams(text: string): number {
  const streams = parseNumber(text, '--streams', { min: 1, max: 64 });
  if (!Number.isInteger(streams)) throw new EvicpressError(`--streams: "${text}" is not a whole number.`);
  return streams;
}

function parseScratch(text: string): number {
  const bytes = naming('--scratch', () => parseBytes(text));
  if (!Number.isFinite(bytes)) throw new EvicpressError('--scratch: test data needs a limit, e.g. 1GB.');
  return bytes;
}

/** Runs work that Ctrl-C and a polite kill stop through its signal; a second Ctrl-C does not wait. */
async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/** @throws EvicpressError with exit code 3 where a tier's verdict is bad. */
function refuseBad(tiers: readonly Tier[], terminal: Terminal): void {
  const bad = tiers.filter((tier) => verdictLevel(tier) === 'bad');
  if (bad.length === 0) return;
  terminal.finish();
  throw new EvicpressError(
    `${bad.map((tier) => tier.name).join(', ')}: cannot be trusted (see the reasons above). Measure when the machine is quieter, longer with --seconds-per-tier, or without --strict.`,
    3,
  );
}
