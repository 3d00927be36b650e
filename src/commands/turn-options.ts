import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { EvicpressError, errors, printable } from '../errors.js';
import { CONFIG_NAME, type Config, readConfig } from '../formats/config.js';
import type { Model } from '../formats/model.js';
import { pick } from '../registry.js';
import type { Terminal } from '../report/terminal.js';
import { parseNumber, parseSeconds } from '../units.js';
import { PUBLISH_FOLDER } from '../workflows/generations.js';
import { DEFAULT_THRESHOLDS, type DriftThresholds } from '../workflows/refresh/drift/check.js';
import type { Level, TurnOptions, TurnTools } from '../workflows/refresh/options.js';
import { INPUT_OPTIONS, type InputFlags, inputPaths, loadInputs } from './inputs.js';

/** The flags of a turn, as commander hands them over. */
export interface TurnFlags extends InputFlags {
  readonly trace?: string;
  readonly format?: string;
  readonly blockTokens?: string;
  readonly state?: string;
  readonly alpha?: string;
  readonly meanQuality?: string;
  readonly minQuality?: string;
  readonly confidence?: string;
  readonly solver?: string;
  readonly engine?: string;
  readonly halfLife?: string;
  readonly period?: string;
  readonly window?: string;
  readonly minGain?: string;
  readonly migrationCost?: string;
  readonly samples?: string;
  readonly threshold?: string;
  readonly probeEvery?: string;
  readonly probeSeconds?: string;
  readonly budget?: string;
  readonly hold?: string;
  readonly resume?: boolean;
  readonly dryRun?: boolean;
}

/** What applies where neither a flag nor evicpress.yaml says. */
const DEFAULTS = {
  alpha: '1',
  halfLife: '1h',
  period: '1h',
  window: '50000',
  minGain: '0.01',
  migrationCost: '0',
  probeEvery: '6h',
  probeSeconds: '2',
  budget: '60s',
  hold: '24h',
} as const;
/** The recent requests take at most this much room. */
const WINDOW_BYTES = 512 * 2 ** 20;
const PROBE_SIZES = [4_194_304, 16_777_216];

/** The commander options that `refresh` and `drift` share. */
export const TURN_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ['--trace <log>', 'the request log that the engine writes'],
  ['--format <name>', 'format of the log, where it is not recognised'],
  ['--block-tokens <n>', 'tokens per block of the log, where it does not tell'],
  ['--state <folder>', `where state, journal and published plans lie (default: ${PUBLISH_FOLDER})`],
  ...INPUT_OPTIONS,
  ['--alpha <seconds>', `seconds of TTFT one unit of quality is worth (default: ${DEFAULTS.alpha})`],
  ['--mean-quality <q>', 'solve for alpha: mean quality not below this'],
  ['--min-quality <q>', 'quality floor for every context'],
  ['--confidence <p>', 'plan on the lower bound of quality that holds with this probability'],
  ['--solver <name>', 'dual, exact, greedy or greedy-per-byte'],
  ['--engine <name>', 'the engine that follows the plan; another one makes the plan invalid'],
  ['--half-life <time>', `after so long a reuse counts half (default: ${DEFAULTS.halfLife})`],
  ['--period <time>', `the period that rates are stated for (default: ${DEFAULTS.period})`],
  ['--window <requests>', `recent requests that are remembered (default: ${DEFAULTS.window})`],
  ['--samples <file>', 'online quality samples (NDJSON), to hold against the profile'],
  [
    '--probe-every <time>',
    `probe measured tiers at most this often, or never (default: ${DEFAULTS.probeEvery})`,
  ],
  ['--threshold <list>', 'from where on change is drift, e.g. slowdown=2,unseen=0.8'],
  ['--probe-seconds <n>', `length of a probe (default: ${DEFAULTS.probeSeconds})`],
];

/** The options that only `refresh` has. */
export const REFRESH_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  [
    '--min-gain <share>',
    `publish when better by more than this share of TTFT (default: ${DEFAULTS.minGain})`,
  ],
  ['--migration-cost <seconds>', `what moving 1 GB costs in utility (default: ${DEFAULTS.migrationCost})`],
  ['--budget <time>', `time for measuring anew what drifted (default: ${DEFAULTS.budget})`],
  ['--hold <time>', `publish nothing for so long after a rollback (default: ${DEFAULTS.hold})`],
  ['--resume', 'end the hold of a rollback'],
  ['--dry-run', 'decide and say so, but write nothing'],
];

/** Flags over `refresh:` of evicpress.yaml over its top level over defaults. @throws EvicpressError */
export function turnOptions(flags: TurnFlags, config: Config): TurnOptions {
  const own = config.refresh ?? {};
  const text = (name: keyof TurnFlags & string, fallback?: string): string | undefined =>
    (flags[name] as string | undefined) ?? textOf(own[name]) ?? textOf(config[name]) ?? fallback;
  const log = text('trace');
  if (log === undefined)
    throw errors.missingInput('request log', 'Name it with --trace, or as trace in evicpress.yaml.');
  const number = (name: keyof TurnFlags & string, fallback: string, range: { min?: number; max?: number }) =>
    parseNumber(text(name, fallback)!, flagName(name), range);
  const optional = (name: keyof TurnFlags & string, range: { min?: number; max?: number }) =>
    text(name) === undefined ? {} : { [name]: parseNumber(text(name)!, flagName(name), range) };
  const seconds = (name: keyof TurnFlags & string, fallback: string) =>
    positiveSeconds(text(name, fallback)!, flagName(name));
  const probeEvery = text('probeEvery', DEFAULTS.probeEvery)!;
  return {
    folder: text('state', PUBLISH_FOLDER)!,
    log,
    ...optionalText('format', text('format')),
    ...optional('blockTokens', { min: 1 }),
    halfLifeSeconds: seconds('halfLife', DEFAULTS.halfLife),
    periodSeconds: seconds('period', DEFAULTS.period),
    window: { requests: number('window', DEFAULTS.window, { min: 100, max: 1e7 }), bytes: WINDOW_BYTES },
    alpha: number('alpha', DEFAULTS.alpha, { min: 0 }),
    ...(flags.alpha === undefined ? optional('meanQuality', { min: 0, max: 1 }) : {}),
    ...optional('minQuality', { min: 0, max: 1 }),
    ...optional('confidence', { min: 0.5, max: 0.9999 }),
    solver: text('solver', 'dual')!,
    ...optionalText('engine', text('engine')),
    minGain: number('minGain', DEFAULTS.minGain, { min: 0 }),
    migrationSecondsPerByte: number('migrationCost', DEFAULTS.migrationCost, { min: 0 }) / 1e9,
    thresholds: thresholds(text('threshold')),
    ...optionalText('samples', text('samples')),
    probeEverySeconds: probeEvery === 'never' ? null : positiveSeconds(probeEvery, '--probe-every'),
    probeSeconds: number('probeSeconds', DEFAULTS.probeSeconds, { min: 1, max: 600 }),
    budgetSeconds: seconds('budget', DEFAULTS.budget),
    holdSeconds: seconds('hold', DEFAULTS.hold),
    resume: flags.resume === true,
    dryRun: flags.dryRun === true,
  };
}

/** `slowdown=2,unseen=0.8` over the defaults. @throws EvicpressError */
function thresholds(text: string | undefined): DriftThresholds {
  const changed: Record<string, number> = {};
  for (const part of text?.split(',') ?? []) {
    const [name = '', value = ''] = part.split('=').map((piece) => piece.trim());
    if (!Object.hasOwn(DEFAULT_THRESHOLDS, name))
      throw errors.unknownName('threshold', name, Object.keys(DEFAULT_THRESHOLDS));
    changed[name] = parseNumber(value, `--threshold ${name}`, { min: 0 });
  }
  return { ...DEFAULT_THRESHOLDS, ...changed };
}

/** The world as a turn from the command line has it. */
export function turnTools(flags: TurnFlags, options: TurnOptions, tell: TurnTools['tell']): TurnTools {
  return {
    now: () => new Date(),
    async loadInputs(blockTokens) {
      const blockBytes =
        blockTokens === 0 ? undefined : (model: Model) => blockTokens * model.kvBytesPerToken;
      const { tiers, model, methods, files, warnings } = await loadInputs(flags, blockBytes);
      return { tiers, model, methods: methods.rows, files, warnings };
    },
    async identity() {
      const config = await readConfig('.');
      const paths = [
        CONFIG_NAME,
        ...inputPaths(flags, config),
        ...(options.samples === undefined ? [] : [options.samples]),
      ];
      const entries = await Promise.all(paths.map(async (path) => [path, await fileIdentity(path)] as const));
      return {
        ...Object.fromEntries(entries),
        flags: hashOf({ ...options, resume: false, dryRun: false }, inputFlags(flags)),
      };
    },
    async measureTier(tier, seconds) {
      const { tierKinds } = await import('../tiers/index.js');
      const kind = pick('tier kind', tierKinds, tier.kind);
      const target = {
        name: tier.name,
        kind: tier.kind,
        ...(tier.location === undefined ? {} : { location: tier.location }),
      };
      return kind.measure(target, {
        seconds,
        sizes: PROBE_SIZES,
        streams: [1],
        capacityBytes: tier.capacityBytes,
        seed: 1,
        signal: new AbortController().signal,
        onProgress: () => undefined,
      });
    },
    tell,
  };
}

/** Says what happens: sentences for people, or with `--log-format json` one object per line. @throws EvicpressError */
export function teller(form: string, terminal: Terminal): TurnTools['tell'] {
  if (form === 'json') {
    return (level: Level, message, fields = {}) => {
      process.stderr.write(
        `${JSON.stringify({ at: new Date().toISOString(), level, message, ...fields })}\n`,
      );
    };
  }
  if (form !== 'text')
    throw new EvicpressError(`--log-format: "${printable(form)}" is unknown. Pick one of: text, json.`);
  return (level, message) =>
    level === 'info' ? terminal.say(message) : terminal.warn(printable(message, 2000));
}

/** The flags that say what is planned with, and none that say how to print. */
function inputFlags({ tiers, methods, model, capacity, metric, allowModelMismatch }: TurnFlags): InputFlags {
  return {
    ...(tiers !== undefined && { tiers }),
    ...(methods !== undefined && { methods }),
    ...(model !== undefined && { model }),
    ...(capacity !== undefined && { capacity }),
    ...(metric !== undefined && { metric }),
    ...(allowModelMismatch !== undefined && { allowModelMismatch }),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function optionalText<K extends string>(name: K, value: string | undefined): { [key in K]?: string } {
  return (value === undefined ? {} : { [name]: value }) as { [key in K]?: string };
}

function flagName(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function positiveSeconds(text: string, flag: string): number {
  const value = parseSeconds(text);
  if (!(value > 0))
    throw new EvicpressError(`${flag}: "${printable(text)}" is no time to speak of. Write it like 10m.`);
  return value;
}

async function fileIdentity(path: string): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  return info === undefined ? 'none' : `${info.ino} ${info.size} ${info.mtimeMs}`;
}

function hashOf(...values: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, 16);
}
