import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { errors, printable } from '../errors.js';
import { systemFault } from './files.js';
import { checkShape } from './schema.js';

const text = z.union([z.string(), z.number()]).transform(String);
const list = z.union([z.array(text), text.transform((value) => value.split(',').map((part) => part.trim()))]);

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
  minQuality: text.optional(),
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
  refresh: z.looseObject({}).optional(),
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
    content = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw systemFault(error, path);
  }
  const document = parseDocument(content, { prettyErrors: true });
  const fault = document.errors[0];
  if (fault !== undefined) {
    throw errors.badFile(path, fault.linePos?.[0].line, printable(fault.message.split('\n')[0]!));
  }
  return checkShape(configSchema, document.toJS() ?? {}, path);
}
