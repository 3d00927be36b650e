import { join } from 'node:path';
import * as z from 'zod';
import { errors, printable } from '../errors.js';
import { readText, systemFault } from './files.js';
import { checkShape } from './schema.js';

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

/**
 * Reads `evicpress.yaml` from a folder; an empty configuration where there is none.
 * @throws EvicpressError with file and line where it is not valid.
 */
export async function readConfig(folder: string): Promise<Config> {
  const path = join(folder, CONFIG_NAME);
  let content: string;
  try {
    content = await readText(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw systemFault(error, path);
  }
  return checkShape(configSchema, (await parsedYaml(content, path)) ?? {}, path);
}

/** What the parser found wrong, in one line and without the place, which is said before it. */
export function yamlFault(message: string): string {
  return printable(message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '.'));
}

/** A configuration larger than this, or nested deeper, is none; the parser would exhaust memory or stack on it. */
const LARGEST_CHARACTERS = 2 ** 20;
const DEEPEST = 100;

async function parsedYaml(content: string, path: string): Promise<unknown> {
  refuseExcess(content, path);
  // Loaded where there is something to read: most folders have no configuration.
  const { parseDocument } = await import('./yaml-document.js');
  const document = parseDocument(content, { prettyErrors: true });
  const fault = document.errors[0];
  if (fault !== undefined) {
    throw errors.badFile(path, fault.linePos?.[0].line, yamlFault(fault.message));
  }
  return yamlValue(document, path);
}

/** @throws EvicpressError on a text that would exhaust the parser's memory or stack. */
export function refuseExcess(content: string, path: string): void {
  if (content.length > LARGEST_CHARACTERS)
    throw errors.badFile(path, undefined, `${content.length} characters are too many for a configuration.`);
  if (isTooDeep(content)) throw errors.badFile(path, undefined, `nested more than ${DEEPEST} levels deep.`);
}

/** A parsed document, as far as it is used here: users' compilers need not know the parser's types. */
interface YamlDocument {
  toJS(): unknown;
}

/** What a document without faults stands for. @throws EvicpressError on aliases of nothing, or of too much. */
export function yamlValue(document: YamlDocument, path: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw errors.badFile(path, undefined, printable((error as Error).message));
  }
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
