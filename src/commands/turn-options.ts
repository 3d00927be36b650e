import { EvicpressError, errors, naming, printable } from '../errors.js';
import type { Config } from '../formats/config.js';
import { RANGES } from '../formats/option-values.js';
import { parseCount, parseNumber, parseSeconds } from '../units.js';
import { PUBLISH_FOLDER } from '../workflows/generations.js';
import { DEFAULT_THRESHOLDS, type DriftThresholds } from '../workflows/refresh/drift/check.js';
import type { TurnOptions } from '../workflows/refresh/options.js';
import { type ConstraintFlags, readConstraints } from './constraints.js';
import { INPUT_OPTIONS, type InputFlags } from './inputs.js';
import { expectOneObjective, flagName } from './options.js';

/** The flags of a turn, as commander hands them over. */
export interface TurnFlags extends InputFlags, ConstraintFlags {
  readonly trace?: string;
  readonly format?: string;
  readonly blockTokens?: string;
  readonly state?: string;
  readonly alpha?: string;
  readonly meanQuality?: string;
  readonly confidence?: string;
  readonly solver?: string;
  readonly engine?: string;
  readonly engineUrl?: string;
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

/** The commander options that `refresh` and `drift` share. */
export const TURN_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ['--trace <log>', 'the request log that the engine writes'],
  ['--format <name>', 'format of the log, where it is not recognised'],
  ['--block-tokens <n>', 'tokens per block of the log, where it does not tell'],
  ['--state <folder>', `where state, journal and published plans lie (default: ${PUBLISH_FOLDER})`],
  ...INPUT_OPTIONS,
  ['--alpha <seconds>', `seconds of TTFT one unit of quality is worth (default: ${DEFAULTS.alpha})`],
  ['--mean-quality <q>', 'solve for alpha: mean quality not below this'],
  ['--confidence <p>', 'plan on the lower bound of quality that holds with this probability'],
  ['--solver <name>', 'dual, exact, greedy or greedy-per-byte'],
  ['--engine <name>', 'the engine that follows the plan; another one makes the plan invalid'],
  ['--engine-url <url>', 'the running engine, asked in every turn what it serves'],
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
  ['--resume', 'end the hold of a rollback; take an engine that has changed as it is'],
  ['--dry-run', 'decide and say so, but write nothing'],
];

/** Flags over `refresh:` of evicpress.yaml over its top level over defaults. @throws EvicpressError */
export function turnOptions(flags: TurnFlags, config: Config): TurnOptions {
  expectOneObjective(flags);
  const own = config.refresh ?? {};
  const text = (name: keyof TurnFlags & string, fallback?: string): string | undefined =>
    (flags[name] as string | undefined) ?? textOf(own[name]) ?? textOf(config[name]) ?? fallback;
  const log = text('trace');
  if (log === undefined)
    throw errors.missingInput('request log', 'Name it with --trace, or as trace in evicpress.yaml.');
  const number = (name: keyof TurnFlags & keyof typeof RANGES, fallback: string) =>
    parseNumber(text(name, fallback)!, flagName(name), RANGES[name]);
  const optional = (name: keyof TurnFlags & keyof typeof RANGES) =>
    text(name) === undefined ? {} : { [name]: number(name, '') };
  const blockTokens = text('blockTokens');
  const seconds = (name: keyof TurnFlags & string, fallback: string) =>
    positiveSeconds(text(name, fallback)!, flagName(name));
  const probeEvery = text('probeEvery', DEFAULTS.probeEvery)!;
  return {
    folder: text('state', PUBLISH_FOLDER)!,
    log,
    ...optionalText('format', text('format')),
    ...(blockTokens === undefined ? {} : { blockTokens: parseCount(blockTokens, '--block-tokens') }),
    halfLifeSeconds: seconds('halfLife', DEFAULTS.halfLife),
    periodSeconds: seconds('period', DEFAULTS.period),
    window: { requests: number('window', DEFAULTS.window), bytes: WINDOW_BYTES },
    alpha: number('alpha', DEFAULTS.alpha),
    ...(flags.alpha === undefined ? optional('meanQuality') : {}),
    constraints: readConstraints(flags, { ...config, ...own }),
    ...optional('confidence'),
    solver: text('solver', 'dual')!,
    ...optionalText('engine', text('engine')),
    ...optionalText('engineUrl', expectUrl(text('engineUrl'), '--engine-url')),
    minGain: number('minGain', DEFAULTS.minGain),
    migrationSecondsPerByte: number('migrationCost', DEFAULTS.migrationCost) / 1e9,
    thresholds: thresholds(text('threshold')),
    ...optionalText('samples', text('samples')),
    probeEverySeconds: probeEvery === 'never' ? null : positiveSeconds(probeEvery, '--probe-every'),
    probeSeconds: number('probeSeconds', DEFAULTS.probeSeconds),
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
      naming('--threshold', () => {
        throw errors.unknownName('threshold', name, Object.keys(DEFAULT_THRESHOLDS));
      });
    changed[name] = parseNumber(value, `--threshold ${name}`, { min: 0 });
  }
  return { ...DEFAULT_THRESHOLDS, ...changed };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function optionalText<K extends string>(name: K, value: string | undefined): { [key in K]?: string } {
  return (value === undefined ? {} : { [name]: value }) as { [key in K]?: string };
}

function positiveSeconds(text: string, flag: string): number {
  const value = naming(flag, () => parseSeconds(text));
  if (!(value > 0))
    throw new EvicpressError(`${flag}: "${printable(text)}" is no time to speak of. Write it like 10m.`);
  return value;
}

/** @throws EvicpressError naming the flag. */
function expectUrl(text: string | undefined, flag: string): string | undefined {
  if (text === undefined || (/^https?:/.test(text) && URL.canParse('/', text))) return text;
  throw new EvicpressError(
    `${flag}: "${printable(text)}" is not a URL. Write it like http://127.0.0.1:8000.`,
  );
}
