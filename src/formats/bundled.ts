import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { EvicpressError, errors, nearestName, printable } from '../errors.js';
import { PACKAGE_ROOT } from '../package-root.js';
import { readJson } from './files.js';
import { checkModel, type Model } from './model.js';
import { modelVariant } from './model-variants.js';

/** The folder of reference profiles that ships with the package. */
export const PROFILES_FOLDER = join(PACKAGE_ROOT, 'profiles/');

/** The bundled method profile: a small model on texts of many kinds. */
export const BUNDLED_METHODS = 'smollm2-135m/samples';

/** The folder under the working folder where results go. */
export const RESULTS_FOLDER = '.evicpress';

/** Names of the bundled profiles of a kind, e.g. `h100-host`. */
export function bundledNames(kind: 'tiers' | 'methods'): string[] {
  const suffix = kind === 'tiers' ? '.json' : '.ndjson';
  return readdirSync(join(PROFILES_FOLDER, kind), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length))
    .sort();
}

/**
 * The file a flag means: a path where it looks like one, else a bundled profile of that name.
 * @throws EvicpressError when it is neither.
 */
export function profilePath(kind: 'tiers' | 'methods', nameOrPath: string): string {
  const suffix = kind === 'tiers' ? '.json' : '.ndjson';
  if (looksLikePath(nameOrPath, ['.json', '.ndjson', '.jsonl', '.gz'])) return nameOrPath;
  const names = bundledNames(kind);
  if (names.includes(nameOrPath)) return join(PROFILES_FOLDER, kind, `${nameOrPath}${suffix}`);
  const near = nearestName(nameOrPath, names);
  const suggestion = near === undefined ? '' : ` Did you mean ${near}?`;
  throw new EvicpressError(
    `"${printable(nameOrPath)}" is neither a file nor a bundled profile of ${kind}.${suggestion} Bundled: ${names.join(', ')}.`,
  );
}

/** Whether a model is given by its file, not by a bundled name. */
export function isModelFile(nameOrPath: string): boolean {
  return looksLikePath(nameOrPath, ['.json']);
}

function looksLikePath(text: string, suffixes: readonly string[]): boolean {
  return text.startsWith('.') || text.startsWith('/') || suffixes.some((suffix) => text.endsWith(suffix));
}

/** The bundled models with their sources. @throws EvicpressError */
export async function bundledModels(): Promise<Model[]> {
  const path = join(PROFILES_FOLDER, 'models.json');
  const file = (await readJson(path, 'the bundled models', 'Install the package again.')) as {
    models: unknown[];
  };
  return file.models.map((model, i) => checkModel(model, `${path} (model ${i})`));
}

/**
 * A model by bundled name, with suffixes for another cache dtype, tensor-parallel degree or machine
 * (`llama-3.1-70b@fp8@tp8`), or from a JSON file.
 * @throws EvicpressError with the nearest name.
 */
export async function loadModel(nameOrPath: string): Promise<Model> {
  if (isModelFile(nameOrPath)) {
    return checkModel(await readJson(nameOrPath, 'a model', 'See docs/formats.md for its form.'), nameOrPath);
  }
  const models = await bundledModels();
  const [name, ...suffixes] = nameOrPath.split('@');
  const found = models.find((model) => model.name === name);
  if (found === undefined)
    throw errors.unknownName(
      'model',
      nameOrPath,
      models.map((model) => model.name),
    );
  return modelVariant(found, suffixes);
}
