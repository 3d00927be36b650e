import { realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { EvicpressError, printable } from './errors.js';
import { RESULTS_FOLDER } from './formats/bundled.js';
import { CONFIG_NAME, configFault, readConfig } from './formats/config.js';
import { checkOptionValue } from './formats/option-values.js';
import { openTerminal, type TerminalFlags } from './report/terminal.js';
import {
  namedIn,
  nameFaults,
  sectionOf,
  TOP_LEVEL,
  unknownKeys,
  WITHOUT_CONFIG,
} from './workflows/config-names.js';

type Values = Readonly<Record<string, unknown>>;

const IS_EMPTY = 'is empty. Is a variable of the shell not set? Give a value, or leave it out.';

/** What is said of one run only: no default for every command. */
const NEVER_SHARED = ['output'];

/**
 * Refuses values on the command line that their options cannot have, before any work is done with the others; empty
 * ones are those of variables that the shell does not know.
 * @throws EvicpressError naming the flag.
 */
export function checkGiven(action: Command): void {
  if (action.args.includes('')) throw new EvicpressError(`An argument ${IS_EMPTY}`);
  for (const option of action.options) {
    const key = option.attributeName();
    const value: unknown = isGiven(action, key) ? action.getOptionValue(key) : undefined;
    if (option.long == null) continue;
    if (value === '' || (Array.isArray(value) && value.includes('')))
      throw new EvicpressError(`${option.long}: the value ${IS_EMPTY}`);
    // Lists and pairs are for the commands to take apart.
    if (typeof value !== 'string') continue;
    try {
      checkOptionValue(key, value);
    } catch (error) {
      throw new EvicpressError(`${option.long}${(error as EvicpressError).message.slice(key.length)}`);
    }
  }
}

/** What may be written over: a plan by the one that follows it. */
const REPLACED = ['previous'];

/** What the commands read by themselves where no flag says: from these keys of evicpress.yaml, else from these results. */
const READ_UNASKED: Readonly<Record<string, string | undefined>> = {
  contexts: undefined,
  methods: 'methods.ndjson',
  model: undefined,
  plan: 'plan.ndjson',
  replay: 'replay.json',
  size: 'size.json',
  tiers: 'tiers.json',
  trace: undefined,
};
/** Keys that are something else to a command, or that it does not read unasked. */
const NOT_READ: Readonly<Record<string, readonly string[]>> = {
  profile: ['methods', 'model'],
  replay: ['plan'],
};

/**
 * Refuses an output that is one of the files the command reads: it would be gone, and with it what the result came from.
 * @throws EvicpressError naming both.
 */
export async function refuseOverwriting(action: Command): Promise<void> {
  const output: unknown = action.getOptionValue('output');
  if (typeof output !== 'string' || !isGiven(action, 'output')) return;
  const target = fileAt(output);
  if (target === undefined) return;
  const given = action.options.flatMap((option) => {
    const key = option.attributeName();
    return key === 'output' || REPLACED.includes(key)
      ? []
      : [action.getOptionValue(key)].flat().map((value) => ({ name: option.long ?? key, value }));
  });
  const named = action.args.map((value) => ({ name: 'an argument', value }));
  const read = [...given, ...named, ...(await readUnasked(action))].find(
    ({ value }) => typeof value === 'string' && fileAt(value) === target,
  );
  if (read !== undefined)
    throw new EvicpressError(
      `-o ${printable(output)}: this file is read too (${read.name}), and would be written over. Write to another.`,
    );
}

/** The files that a command reads although neither a flag nor an argument names them, with where their names come from. */
async function readUnasked(action: Command): Promise<{ name: string; value: unknown }[]> {
  const verb = verbOf(action);
  if (WITHOUT_CONFIG.includes(verb)) return [];
  const config = (await readConfig('.')) as Values;
  const isNamed = (key: string) => action.getOptionValue(key) !== undefined;
  // A log comes as arguments to some; a plan is for a log or for contexts, whichever is named.
  const isLogNamed = action.args.length > 0 || isNamed('trace') || isNamed('contexts');
  const isOpen = (key: string) => {
    if (NOT_READ[verb]?.includes(key) === true) return false;
    if (key === 'trace') return !isLogNamed && (verb === 'replay' || hasOption(action, key));
    if (key === 'contexts') return !isLogNamed && hasOption(action, key);
    return !isNamed(key) && hasOption(action, key);
  };
  const unasked = Object.entries(READ_UNASKED).flatMap(([key, result]) => {
    if (!isOpen(key)) return [];
    if (typeof config[key] === 'string') return [{ name: `${key} in ${CONFIG_NAME}`, value: config[key] }];
    return result === undefined ? [] : [{ name: 'a result of before', value: join(RESULTS_FOLDER, result) }];
  });
  return [...unasked, { name: 'the configuration', value: CONFIG_NAME }];
}

function hasOption(action: Command, key: string): boolean {
  return action.options.some((option) => option.attributeName() === key);
}

/** The real path of an ordinary file; undefined where there is none. */
function fileAt(path: string): string | undefined {
  try {
    return statSync(path).isFile() ? realpathSync(path) : undefined;
  } catch {
    // What is wrong with it is said by what reads or writes it.
    return undefined;
  }
}

/**
 * Makes evicpress.yaml the default of every option: the section named after the verb over the top level. What the
 * schema names, the commands read themselves. Keys that are no option of any command are warned of.
 * @throws EvicpressError where the file is not valid, or names what there is not and this command asks for.
 */
export async function applyConfig(action: Command): Promise<void> {
  const verb = verbOf(action);
  if (WITHOUT_CONFIG.includes(verb)) return;
  const config = (await readConfig('.')) as Values;
  const name = sectionName(verb);
  const section = sectionOf(config, name);
  // `explain` tells of a plan: what that was made with comes before what stands in the file now.
  const shared = verb === 'explain' ? {} : config;
  const open = action.options
    .map((option) => option.attributeName())
    .filter((key) => !alternativesOf(key).some((each) => isGiven(action, each)));
  const [wrong] = await nameFaults(config, ({ key, section: own }) =>
    own === undefined ? open.includes(key) && !(key in section) : own === name && open.includes(key),
  );
  if (wrong !== undefined) throw await configFault(wrong);
  for (const option of action.options) {
    const key = option.attributeName();
    if (!open.includes(key)) continue;
    const value =
      (namedIn(name).includes(key) ? undefined : valueFor(option, section[key])) ??
      (TOP_LEVEL.includes(key) || NEVER_SHARED.includes(key) ? undefined : valueFor(option, shared[key]));
    if (value !== undefined) action.setOptionValueWithSource(key, value, 'config');
  }
  for (const fault of unknownKeys(config))
    openTerminal(action.optsWithGlobals<TerminalFlags>()).warn((await configFault(fault)).message);
}

/** Options of which one says what the others would: a flag sets aside all of them in evicpress.yaml. */
const ALTERNATIVES = [
  ['alpha', 'meanQuality', 'maxMeanTtft'],
  ['trace', 'contexts'],
] as const;

function alternativesOf(key: string): readonly string[] {
  return ALTERNATIVES.find((names) => names.some((name) => name === key)) ?? [key];
}

/** The verbs share a section where one shows what the other does. */
function sectionName(verb: string): string {
  return verb === 'drift' ? 'refresh' : verb;
}

function isGiven(action: Command, key: string): boolean {
  return action.getOptionValueSource(key) === 'cli';
}

/**
 * An error that names a flag, told of the place in evicpress.yaml where its value was not given on the command line
 * but came from there; any other error as it is.
 */
export async function located(error: unknown, action: Command): Promise<unknown> {
  const flag = error instanceof EvicpressError ? /^(--[a-z-]+)(?: (\S+?))?: /.exec(error.message) : null;
  const option = action.options.find(({ long }) => flag !== null && long === flag[1]);
  if (flag === null || option === undefined) return error;
  const key = option.attributeName();
  if (isGiven(action, key)) return error;
  const config = (await readConfig('.')) as Values;
  const name = sectionName(verbOf(action));
  const field = key in sectionOf(config, name) ? [name, key] : [key];
  if (field.length === 1 && !(key in config)) return error;
  const { message, exitCode } = error as EvicpressError;
  const place = flag[2] === undefined ? field : [...field, flag[2]];
  const fault = await configFault({ field: place, what: message.slice(flag[0].length) });
  return new EvicpressError(fault.message, exitCode);
}

/** The verb of the command line that a command belongs to: `profile` of `profile tiers`. */
function verbOf(command: Command): string {
  const above = command.parent;
  return above === null || above.parent === null ? command.name() : verbOf(above);
}

/** A value as the command line would have set it; undefined for what the option cannot take. */
function valueFor(option: Option, value: unknown): unknown {
  if (option.isBoolean()) return value === true ? true : undefined;
  if (value === true && option.optional) return true;
  const isRepeatable = option.variadic || option.parseArg !== undefined;
  if (Array.isArray(value)) return isRepeatable ? value.map(String) : value.join(',');
  if (typeof value === 'object' && value !== null)
    return isRepeatable ? Object.entries(value).map(([key, each]) => `${key}=${each}`) : undefined;
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  return isRepeatable ? [String(value)] : String(value);
}
