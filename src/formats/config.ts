import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { type EvicpressError, errors, printable } from '../errors.js';
import { readText, systemFault } from './files.js';
import { checkOptionValue } from './option-values.js';
import { describeIssue, fieldPath } from './schema.js';

const text = z.union([z.string(), z.number()]).transform(String);
const list = z.union([z.array(text), text.transform((value) => value.split(',').map((part) => part.trim()))]);

/** What a plan must keep to, beyond capacities. */
const constraints = {
  minQuality: text.optional(),
  minQualityOfClass: z.record(z.string(), text).optional(),
  bandwidthShare: text.optional(),
  forbid: list.optional(),
  tenantShare: z.record(z.string(), text).optional(),
  writeBudget: z.record(z.string(), text).optional(),
  price: z.record(z.string(), text).optional(),
  maxMoney: text.optional(),
  moneyWeight: text.optional(),
};

/**
 * `evicpress.yaml`: the default of every flag, under the flag's name in camelCase. `profile`, `plan`, `replay`
 * and `refresh` hold what belongs to one command only.
 */
export const configSchema = z.looseObject({
  model: text.optional(),
  tiers: text.optional(),
  methods: text.optional(),
  contexts: text.optional(),
  trace: text.optional(),
  engine: text.optional(),
  capacity: z.record(z.string(), text).optional(),
  alpha: text.optional(),
  meanQuality: text.optional(),
  confidence: text.optional(),
  ...constraints,
  solver: text.optional(),
  profile: z
    .looseObject({
      tier: z.record(z.string(), text).optional(),
      runner: text.optional(),
      methods: list.optional(),
      ratios: list.optional(),
      queries: text.optional(),
      secondsPerTier: text.optional(),
      python: text.optional(),
    })
    .optional(),
  plan: z.looseObject({}).optional(),
  replay: z
    .looseObject({ policies: list.optional(), warm: text.optional(), engines: text.optional() })
    .optional(),
  refresh: z.looseObject(constraints).optional(),
});
export type Config = z.infer<typeof configSchema>;

/** The name of the configuration file in the working folder. */
export const CONFIG_NAME = 'evicpress.yaml';

/** The other ending of YAML files: one that is there is meant to be read. */
const OTHER_NAME = 'evicpress.yml';

/** Something wrong with a field of the configuration. */
export interface ConfigFault {
  readonly field: readonly PropertyKey[];
  readonly what: string;
}

/** A configuration as it was read, with all that is wrong with its text, its fields and their values. */
export interface InspectedConfig {
  /** Undefined where its text cannot be read or a field is not of its kind; its values may be wrong still. */
  readonly config?: Config;
  readonly faults: readonly { readonly line: number | undefined; readonly what: string }[];
  /** The line of a field, from 1. */
  lineOf(field: readonly PropertyKey[]): number | undefined;
}

/**
 * Reads `evicpress.yaml` from a folder; an empty configuration where there is none.
 * @throws EvicpressError with file and line where it is not valid, and where it is there under another name.
 */
export async function readConfig(folder: string): Promise<Config> {
  refuseOtherName(folder);
  const path = join(folder, CONFIG_NAME);
  const content = await configText(path);
  if (content === undefined) return {};
  const { config, faults } = await inspectConfig(content, path);
  if (config !== undefined && faults.length === 0) return config;
  throw errors.badFile(path, faults[0]!.line, faults[0]!.what);
}

/** The message for a field of the working folder's configuration that is found wrong where it is used. */
export async function configFault({ field, what }: ConfigFault): Promise<EvicpressError> {
  const content = (await configText(CONFIG_NAME)) ?? '';
  const { lineOf } = await inspectConfig(content, CONFIG_NAME);
  return errors.badFile(CONFIG_NAME, lineOf(field), `${fieldPath(field)}: ${what}`);
}

/** @throws EvicpressError on a configuration whose name ends in .yml, which would be passed over in silence. */
function refuseOtherName(folder: string): void {
  const path = join(folder, OTHER_NAME);
  if (existsSync(path))
    throw errors.badFile(
      path,
      undefined,
      `the configuration is read from ${CONFIG_NAME} only. Rename it, or put it away.`,
    );
}

async function configText(path: string): Promise<string | undefined> {
  try {
    return await readText(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw systemFault(error, path);
  }
}

/** What is wrong with the text of a configuration. @throws EvicpressError on one that no parser should touch. */
export async function inspectConfig(content: string, path: string): Promise<InspectedConfig> {
  refuseExcess(content, path);
  // Loaded where there is something to read: most folders have no configuration.
  const { locatedDocument } = await import('./yaml-document.js');
  const { document, lineOf } = locatedDocument(content);
  const faults = document.errors.map(({ message, linePos }) => ({
    line: linePos?.[0].line,
    what: yamlFault(message),
  }));
  if (faults.length > 0) return { faults, lineOf };
  const value = yamlValue(document, path) ?? {};
  const { data, error } = configSchema.safeParse(value);
  if (error !== undefined)
    return {
      faults: error.issues.map((issue) => ({ line: lineOf(issue.path), what: describeIssue(issue, value) })),
      lineOf,
    };
  const wrong = valueFaults(data).map(({ field, what }) => ({
    line: lineOf(field),
    what: `${fieldPath(field)}: ${what}`,
  }));
  return { config: data, faults: wrong, lineOf };
}

/** What the parser found wrong, in one line and without the place, which is said before it. */
function yamlFault(message: string): string {
  return printable(message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '.'));
}

/** What a parsed document stands for. @throws EvicpressError on aliases of nothing, or of too much. */
function yamlValue(document: { toJS(): unknown }, path: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw errors.badFile(path, undefined, printable((error as Error).message));
  }
}

/** A value of the configuration: one of a list or a mapping by itself. */
export interface ConfigValue {
  readonly field: readonly PropertyKey[];
  /** The option it is for, in camelCase. */
  readonly key: string;
  /** The verb whose section it stands in; undefined at the top level. */
  readonly section: string | undefined;
  /** Of a mapping the value alone, `name` beside it. */
  readonly text: string;
  readonly name?: string;
}

/** Options whose value is a mapping; any other mapping at the top level is the section of a verb. */
const MAPPINGS = ['capacity', 'minQualityOfClass', 'price', 'tenantShare', 'writeBudget'];

/** Every value, at the top level and in the sections of the verbs; switches are none. */
export function configValues(config: Readonly<Record<string, unknown>>): ConfigValue[] {
  return Object.entries(config).flatMap(([key, value]) =>
    isMapping(value) && !MAPPINGS.includes(key)
      ? Object.entries(value).flatMap(([own, each]) => valuesUnder(own, key, [key, own], each))
      : valuesUnder(key, undefined, [key], value),
  );
}

/** The value itself, or those of its list or mapping; no option nests deeper. */
function valuesUnder(
  key: string,
  section: string | undefined,
  field: readonly PropertyKey[],
  value: unknown,
): ConfigValue[] {
  if (isText(value)) return [{ field, key, section, text: String(value) }];
  const each = Array.isArray(value) ? value.entries() : isMapping(value) ? Object.entries(value) : [];
  return [...each].flatMap(([name, text]) =>
    isText(text)
      ? [
          {
            field: [...field, name],
            key,
            section,
            text: String(text),
            ...(typeof name === 'string' && { name }),
          },
        ]
      : [],
  );
}

function isText(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Values that their options would refuse. */
function valueFaults(config: Readonly<Record<string, unknown>>): ConfigFault[] {
  return configValues(config).flatMap(({ field, key, text: value }) => {
    try {
      checkOptionValue(key, value.slice(value.lastIndexOf('=') + 1));
      return [];
    } catch (error) {
      return [{ field, what: (error as EvicpressError).message.slice(key.length + 2) }];
    }
  });
}

/** A configuration larger than this, or nested deeper, is none; the parser would exhaust memory or stack on it. */
const LARGEST_CHARACTERS = 2 ** 20;
const DEEPEST = 100;

/** @throws EvicpressError on a text that would exhaust the parser's memory or stack. */
function refuseExcess(content: string, path: string): void {
  if (content.length > LARGEST_CHARACTERS)
    throw errors.badFile(path, undefined, `${content.length} characters are too many for a configuration.`);
  if (isTooDeep(content)) throw errors.badFile(path, undefined, `nested more than ${DEEPEST} levels deep.`);
}

/** By brackets that are open at once, and by indentation and list marks in front of a line. */
function isTooDeep(content: string): boolean {
  let open = 0;
  let lineStart = true;
  let front = 0;
  for (const character of content) {
    if (character === '\n') {
      lineStart = true;
      front = 0;
    } else if (lineStart && ' -?:\t'.includes(character)) {
      if (++front > 2 * DEEPEST) return true;
    } else {
      lineStart = false;
      if (character === '[' || character === '{') open++;
      else if (character === ']' || character === '}') open = Math.max(0, open - 1);
      if (open > DEEPEST) return true;
    }
  }
  return false;
}
