import { declaredCommands, optionNames } from '../declared-commands.js';
import { EvicpressError, errors, nearestName } from '../errors.js';
import { isModelFile, loadModel, profilePath } from '../formats/bundled.js';
import {
  type Config,
  type ConfigFault,
  type ConfigValue,
  configFault,
  configSchema,
  configValues,
} from '../formats/config.js';
import { pick } from '../registry.js';

type Values = Readonly<Record<string, unknown>>;

/** Verbs that do not work from evicpress.yaml: they write it, look whether it is valid, or play in a folder of their own. */
export const WITHOUT_CONFIG: readonly string[] = ['init', 'doctor', 'demo', 'completion', 'check'];

/** The keys of the top level that commands read themselves. */
export const TOP_LEVEL: readonly string[] = Object.keys(configSchema.shape);

/** The keys of a section that its command reads itself. */
export function namedIn(section: string): readonly string[] {
  const schema = (configSchema.shape as Record<string, { unwrap?: () => { shape?: object } }>)[section];
  return Object.keys(schema?.unwrap?.().shape ?? {});
}

/** The section of a verb; empty where there is none. */
export function sectionOf(config: Values, name: string): Values {
  const value = config[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Values) : {};
}

/** Keys that are no option of any command. */
export function unknownKeys(config: Values): ConfigFault[] {
  const commands = declaredCommands();
  // Run from its sources the program has no list of its options.
  if (commands.length === 0) return [];
  const sections = commands.filter(({ name }) => !WITHOUT_CONFIG.includes(name));
  const among = (values: Values, known: readonly string[], above: readonly string[]) =>
    Object.keys(values)
      .filter((key) => !known.includes(key))
      .map((key) => {
        const near = nearestName(key, known);
        return {
          field: [...above, key],
          what: `no option we know.${near === undefined ? '' : ` Did you mean ${near}?`}`,
        };
      });
  const names = sections.map(({ name }) => name);
  return [
    ...among(config, [...TOP_LEVEL, ...names, ...commands.flatMap(optionNames)], []),
    ...sections.flatMap((command) =>
      among(
        sectionOf(config, command.name),
        [...namedIn(command.name), ...optionNames(command)],
        [command.name],
      ),
    ),
  ];
}

/** What must be one of our names, by option: each throws an EvicpressError on another. */
const NAMED: Readonly<Record<string, (value: ConfigValue) => Promise<unknown>>> = {
  engine: async ({ text }) => (await import('../engines/index.js')).engineNamed(text),
  solver: async ({ text }) => (await import('../plan/solvers/index.js')).solverNamed(text),
  async format({ text }) {
    const { formats } = await import('../traces/index.js');
    const { TABLE } = await import('../traces/table/recognise.js');
    pick('log format', [...formats, { name: TABLE }], text);
  },
  async policies({ text }) {
    const { policies } = await import('../replay/policies/index.js');
    for (const each of text.split(',')) pick('policy', policies, each.trim().split(/[+@]/)[0]!);
  },
  async tier({ text, name }) {
    const { parseTargets } = await import('../tiers/targets.js');
    parseTargets([name === undefined ? text : `${name}=${text}`]);
  },
  tiers: async ({ text }) => profilePath('tiers', text),
  methods: async ({ text }) => text === 'none' || profilePath('methods', text),
  model: async ({ text }) => isModelFile(text) || loadModel(text),
};
/** To `profile` these are the methods to measure, and a folder. */
const NOT_OF_PROFILE = ['methods', 'model'];

/** Values that should be names of ours and are not. @param wanted which values are asked about. */
export async function nameFaults(
  config: Values,
  wanted: (value: ConfigValue) => boolean,
): Promise<ConfigFault[]> {
  const faults: ConfigFault[] = [];
  for (const value of configValues(config)) {
    if (value.section === 'profile' && NOT_OF_PROFILE.includes(value.key)) continue;
    const check = Object.hasOwn(NAMED, value.key) && wanted(value) ? NAMED[value.key] : undefined;
    try {
      await check?.(value);
    } catch (error) {
      if (!(error instanceof EvicpressError)) throw error;
      faults.push({ field: value.field, what: error.message.replace(/^--[a-z-]+: /, '') });
    }
  }
  return faults;
}

const TIER_KEYS = ['capacity', 'forbid', 'price', 'tenantShare', 'writeBudget'] as const;
/** An option that names tiers. */
export type TierKey = (typeof TIER_KEYS)[number];

/** Names of tiers that the tier profile does not have. @param tiers their names there. */
export function tierFaults(config: Values, tiers: readonly string[]): ConfigFault[] {
  const named = configValues(config).filter(({ key }) => TIER_KEYS.some((each) => each === key));
  return named.flatMap(({ field, key, text, name = text.replace(/=[^=]*$/, '') }) => {
    const tier = key === 'tenantShare' ? name.slice(name.lastIndexOf(':') + 1) : name;
    const known = key === 'forbid' ? [...tiers, 'recompute'] : tiers;
    if (known.includes(tier)) return [];
    return [{ field, what: errors.unknownName('tier', tier, known).message }];
  });
}

/**
 * Refuses names of tiers at the top level of the configuration, and in a verb's section.
 * @param keys the options that are asked about.
 * @param tiers the names there are.
 * @throws EvicpressError with the line.
 */
export async function refuseUnknownTiers(
  config: Config,
  keys: readonly TierKey[],
  tiers: readonly string[],
  section?: string,
): Promise<void> {
  const askedOf = (values: Values) =>
    Object.fromEntries(keys.filter((key) => key in values).map((key) => [key, values[key]]));
  const own = section === undefined ? {} : askedOf(sectionOf(config, section));
  const shared = Object.entries(askedOf(config)).filter(([key]) => !(key in own));
  const asked = { ...Object.fromEntries(shared), ...(section === undefined ? {} : { [section]: own }) };
  const [wrong] = tierFaults(asked, tiers);
  if (wrong !== undefined) throw await configFault(wrong);
}
