import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder this package is installed in: the nearest one above, from the sources as from the bundle. */
export const PACKAGE_ROOT = folderAbove(dirname(fileURLToPath(import.meta.url)));

/** The file of a worker thread, by its path in the sources without suffix: `replay/run.worker`. Needs a build. */
export function workerFile(name: string): string {
  return join(PACKAGE_ROOT, 'dist', `${name}.js`);
}

function folderAbove(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : folderAbove(dirname(folder));
}
