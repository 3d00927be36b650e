import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { printable } from '../../errors.js';
import { isModelFile, profilePath, RESULTS_FOLDER } from '../../formats/bundled.js';
import { type Config, type ConfigFault, configValues, inspectConfig } from '../../formats/config.js';
import { fieldPath } from '../../formats/schema.js';
import { readTiers } from '../../formats/tiers.js';
import { nameFaults, sectionOf, tierFaults, unknownKeys } from '../config-names.js';
import type { Faults } from './faults.js';

/**
 * Checks an evicpress.yaml as the commands that work from it will: its text, its values, the names in it and the files
 * it names, which are looked for beside it.
 */
export async function checkConfig(path: string, text: string, faults: Faults): Promise<string> {
  try {
    const { config, faults: found, lineOf } = await inspectConfig(text, path);
    for (const { line, what } of found) faults.add(what, line);
    if (config !== undefined) {
      const folder = dirname(path);
      const wrong = [
        ...unknownKeys(config),
        ...(await nameFaults(config, () => true)),
        ...missingFiles(config, folder),
        ...(await strangeTiers(config, folder)),
      ];
      for (const { field, what } of wrong) faults.add(`${fieldPath(field)}: ${what}`, lineOf(field));
    }
  } catch (error) {
    faults.caught(error, path);
  }
  return 'evicpress.yaml';
}

function missingFiles(config: Config, folder: string): ConfigFault[] {
  return configValues(config).flatMap(({ field, key, section, text }) => {
    // To `profile` methods are those to measure, and a model may be a folder.
    if (section === 'profile' && key !== 'contexts') return [];
    const file = fileOf(key, text, folder);
    if (file === undefined || existsSync(file)) return [];
    return [{ field, what: `${printable(text)}: no such file. Make it, or name another.` }];
  });
}

/** The file that a value names, bundled or beside the configuration; undefined where it names none. */
function fileOf(key: string, text: string, folder: string): string | undefined {
  if (key === 'contexts' || (key === 'model' && isModelFile(text))) return resolve(folder, text);
  if ((key !== 'tiers' && key !== 'methods') || text === 'none') return undefined;
  try {
    return resolve(folder, profilePath(key, text));
  } catch {
    return undefined; // no bundled profile either, which is told of already
  }
}

/** Tiers that are not in the tier profile the configuration works with, where there is one to ask. */
async function strangeTiers(config: Config, folder: string): Promise<ConfigFault[]> {
  const file =
    config.tiers === undefined
      ? join(folder, RESULTS_FOLDER, 'tiers.json')
      : fileOf('tiers', config.tiers, folder);
  const profile = file === undefined ? undefined : await readTiers(file).catch(() => undefined);
  if (profile === undefined) return [];
  const own = Object.keys(config).filter((key) => key === 'profile' || 'tiers' in sectionOf(config, key));
  return tierFaults(
    config,
    profile.tiers.map(({ name }) => name),
  ).filter(({ field }) => !own.includes(String(field[0])));
}
