import { EvicpressError } from '../errors.js';
import { logCacheFolder } from '../formats/cache-folder.js';
import type { Config } from '../formats/config.js';
import { parseSeed, RANGES } from '../formats/option-values.js';
import { readPlan } from '../formats/plan.js';
import { fitCurves } from '../plan/curves.js';
import { compressionOf } from '../replay/compression.js';
import type { Objective } from '../replay/policy.js';
import { parseReplan } from '../replay/replanning.js';
import { policyRun } from '../replay/runs.js';
import type { ReplaySetting } from '../replay/simulator.js';
import type { TerminalFlags } from '../report/terminal.js';
import { expectLog, type LoadOptions, loadTrace } from '../traces/load.js';
import type { Trace } from '../traces/trace.js';
import { parseCount, parseNumber } from '../units.js';
import type { InputFlags, Inputs } from './inputs.js';
import { expectOneObjective } from './options.js';
import { parseTarget } from './replay-extras.js';
import { replayInputs } from './replay-inputs.js';
import type { LiveFlags } from './replay-live.js';

const DEFAULT_WARM = '0.5';
const DEFAULT_ALPHA = '1';
export const DEFAULT_POLICIES = ['full-prefill', 'lru', 'belady', 'evicpress'];
const DEFAULT_CLASS_RULE = 'lru+class-rule@0.95';

export interface ReplayFlags extends TerminalFlags, InputFlags, LiveFlags {
  readonly plan?: string;
  readonly policies?: string;
  readonly warm?: string;
  readonly load: string;
  readonly engines?: string;
  readonly alpha?: string;
  readonly meanQuality?: string;
  readonly minQuality?: string;
  readonly overlap?: boolean;
  readonly replan?: string;
  readonly failAbove?: string;
  readonly ttftTarget?: string;
  readonly lruCurve?: string | true;
  readonly chart?: boolean;
  readonly arrivals?: string;
  readonly assignClasses?: string;
  readonly format?: string;
  readonly blockTokens?: string;
  readonly skipBad?: boolean;
  readonly output?: string;
}

/** What flags and evicpress.yaml say of a replay beside its inputs. */
export interface ReplaySettings {
  readonly loading: LoadOptions;
  readonly warmShare: number;
  readonly policies: readonly string[];
  /** The log whose arrival times are taken. */
  readonly arrivals?: Trace;
  readonly classSeed?: number;
  readonly simulator: Pick<
    ReplaySetting,
    'load' | 'engines' | 'objective' | 'overlap' | 'replanEvery' | 'plan' | 'target'
  >;
}

/**
 * Reads all that can be wrong with a replay's flags and small files before a log is read, which may take long.
 * @throws EvicpressError
 */
export async function readReplaySettings(
  paths: readonly string[],
  flags: ReplayFlags,
  config: Config,
): Promise<ReplaySettings> {
  const settings = readFlags(flags, config);
  for (const path of paths) await expectLog(path, flags.format);
  // Sizes in blocks depend on the log: any block will do to see whether they are sizes.
  const inputs = await replayInputs(flags, config, 1);
  if (flags.assignClasses !== undefined) classesToDraw(inputs);
  const policies = flags.policies?.split(',') ?? config.replay?.policies ?? defaultPolicies(inputs);
  requirePolicies(policies, inputs);
  const plan = flags.plan === undefined ? undefined : await readPlan(flags.plan);
  const arrivals =
    flags.arrivals === undefined
      ? undefined
      : await loadTrace(flags.arrivals, { cacheFolder: logCacheFolder() });
  return {
    ...settings,
    policies: policies.map((name) => name.trim()),
    ...(arrivals !== undefined && { arrivals }),
    simulator: { ...settings.simulator, ...(plan !== undefined && { plan }) },
  };
}

function readFlags(flags: ReplayFlags, config: Config): Omit<ReplaySettings, 'policies' | 'arrivals'> {
  if (flags.failAbove !== undefined) parseTarget(flags.failAbove, '--fail-above');
  const warmShare = parseNumber(flags.warm ?? config.replay?.warm ?? DEFAULT_WARM, '--warm', RANGES.warm);
  if (warmShare === 1)
    throw new EvicpressError('--warm 1 leaves no request to score. Give a smaller share, e.g. --warm 0.5.');
  const engines = flags.engines ?? config.replay?.engines;
  return {
    loading: {
      cacheFolder: logCacheFolder(),
      ...(flags.format !== undefined && { format: flags.format }),
      ...(flags.skipBad !== undefined && { skipBad: flags.skipBad }),
      ...(flags.blockTokens !== undefined && {
        blockTokens: parseCount(flags.blockTokens, '--block-tokens'),
      }),
    },
    warmShare,
    ...(flags.assignClasses !== undefined && {
      classSeed: parseSeed(flags.assignClasses, '--assign-classes'),
    }),
    simulator: {
      load: parseNumber(flags.load, '--load', RANGES.load),
      ...(engines !== undefined && { engines: parseCount(engines, '--engines') }),
      objective: objectiveOf(flags, config),
      ...(flags.overlap !== undefined && { overlap: flags.overlap }),
      ...(flags.replan !== undefined && { replanEvery: parseReplan(flags.replan) }),
      ...(flags.ttftTarget !== undefined && { target: parseTarget(flags.ttftTarget, '--ttft-target') }),
    },
  };
}

/** What policy evicpress plans for: the flags, then evicpress.yaml, as `evicpress plan` has them. */
function objectiveOf(flags: ReplayFlags, config: Config): Objective {
  expectOneObjective(flags);
  const minQuality = flags.minQuality ?? config.minQuality;
  // An alpha of this run wins over a target that stands in evicpress.yaml for all.
  const meanQuality = flags.meanQuality ?? (flags.alpha === undefined ? config.meanQuality : undefined);
  return {
    alpha: parseNumber(flags.alpha ?? config.alpha ?? DEFAULT_ALPHA, '--alpha', RANGES.alpha),
    ...(minQuality !== undefined && {
      minQuality: parseNumber(minQuality, '--min-quality', RANGES.minQuality),
    }),
    ...(meanQuality !== undefined && {
      meanQuality: parseNumber(meanQuality, '--mean-quality', RANGES.meanQuality),
    }),
  };
}

function defaultPolicies(inputs: Inputs): string[] {
  return inputs.methods.rows.length === 0 ? DEFAULT_POLICIES : [...DEFAULT_POLICIES, DEFAULT_CLASS_RULE];
}

/** Reads the names of policies as for a log without requests that has every class of the method profile. */
function requirePolicies(names: readonly string[], { methods }: Inputs): void {
  const log = { classOf: new Int32Array(), classes: profiledClasses(methods.rows) };
  const compression = compressionOf(log, methods.rows.length === 0 ? undefined : fitCurves(methods.rows));
  for (const name of names) policyRun(name.trim(), log, compression);
}

/** The classes that `--assign-classes` draws from. @throws EvicpressError where the method profile has none. */
export function classesToDraw({ methods }: Inputs): string[] {
  const classes = profiledClasses(methods.rows);
  if (classes.length > 0) return classes;
  throw new EvicpressError(
    '--assign-classes needs a method profile with classes. Leave it out, or pass such a profile with --methods.',
  );
}

function profiledClasses(rows: Inputs['methods']['rows']): string[] {
  return [...new Set(rows.flatMap((row) => row.class ?? []))].sort();
}
