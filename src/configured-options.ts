import type { Command, Option } from 'commander';
import { type DeclaredCommand, declaredCommands } from './declared-help.js';
import { nearestName, printable } from './errors.js';
import { CONFIG_NAME, configSchema, readConfig } from './formats/config.js';
import { openTerminal, type TerminalFlags } from './report/terminal.js';

type Values = Readonly<Record<string, unknown>>;

/** Verbs that do not work from evicpress.yaml: they write it, look whether it is valid, or play in a folder of their own. */
const WITHOUT = ['init', 'doctor', 'demo', 'completion', 'check'];

/** What is said of one run only: no default for every command. */
const NEVER_SHARED = ['output'];

/**
 * Makes evicpress.yaml the default of every option: the section named after the verb over the top level. What the
 * schema names, the commands read themselves. Keys that are no option of any command are warned of.
 * @throws EvicpressError where the file is not valid.
 */
export async function applyConfig(action: Command): Promise<void> {
  const verb = verbOf(action);
  if (WITHOUT.includes(verb)) return;
  const config = (await readConfig('.')) as Values;
  const name = verb === 'drift' ? 'refresh' : verb;
  const section = sectionOf(config, name);
  // `explain` tells of a plan: what that was made with comes before what stands in the file now.
  const shared = verb === 'explain' ? {} : config;
  for (const option of action.options) {
    const key = option.attributeName();
    if (action.getOptionValueSource(key) === 'cli') continue;
    const value =
      (namedIn(name).includes(key) ? undefined : valueFor(option, section[key])) ??
      (TOP_LEVEL.includes(key) || NEVER_SHARED.includes(key) ? undefined : valueFor(option, shared[key]));
    if (value !== undefined) action.setOptionValueWithSource(key, value, 'config');
  }
  warnOfUnknown(config, action.optsWithGlobals<TerminalFlags>());
}

const TOP_LEVEL = Object.keys(configSchema.shape);

/** The keys of a section that its command reads itself. */
function namedIn(section: string): readonly string[] {
  const schema = (configSchema.shape as Record<string, { unwrap?: () => { shape?: object } }>)[section];
  return Object.keys(schema?.unwrap?.().shape ?? {});
}

function sectionOf(config: Values, name: string): Values {
  const value = config[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Values) : {};
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

function warnOfUnknown(config: Values, flags: TerminalFlags): void {
  const commands = declaredCommands();
  // Run from its sources the program has no list of its options.
  if (commands.length === 0) return;
  const every = commands.flatMap(optionsOf);
  const sections = commands.map(({ name }) => name).filter((name) => !WITHOUT.includes(name));
  const warn = (where: string, values: Values, known: readonly string[]) => {
    for (const key of Object.keys(values).filter((each) => !known.includes(each))) {
      const near = nearestName(key, known);
      const advice = near === undefined ? '' : ` Did you mean ${near}?`;
      openTerminal(flags).warn(
        `${CONFIG_NAME}: ${where}${printable(key, 60)} is no option we know.${advice}`,
      );
    }
  };
  warn('', config, [...TOP_LEVEL, ...sections, ...every]);
  for (const name of sections) {
    const command = commands.find((each) => each.name === name)!;
    warn(`${name}.`, sectionOf(config, name), [...namedIn(name), ...optionsOf(command)]);
  }
}

/** The options of a command and of those below it, in camelCase. */
function optionsOf({ options, commands }: DeclaredCommand): string[] {
  const names = options.map(({ term }) => /--([a-z0-9-]+)/.exec(term)![1]!);
  return [
    ...names.map((name) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())),
    ...commands.flatMap(optionsOf),
  ];
}
