import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { makeFolder } from './make-folder.js';
import type { OnProgress } from './progress.js';

const TIMEOUT_MS = 600_000;

/** A package of npm that is too heavy to come with ours: installed into the cache folder when it is first needed. */
export interface HeavyPackage {
  readonly name: string;
  readonly version: string;
  readonly megabytes: number;
  /** Beside our own environment, for npm. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Takes out of the package's folder what nobody here needs. */
  readonly trim?: (packageFolder: string) => Promise<void>;
}

/**
 * Puts the package into a folder of its own below `folder`, whole or not at all; two processes may do so at once,
 * the first to end wins. Install scripts are not run.
 * @returns the folder that it can be required from.
 * @throws Error with npm's last line where it cannot be had.
 */
export async function installHeavyPackage(
  { name, version, megabytes, environment = {}, trim }: HeavyPackage,
  folder: string,
  onProgress: OnProgress,
): Promise<string> {
  const target = join(folder, `${name.replace(/\W+/g, '-').replace(/^-/, '')}-${version}`);
  if ((await readdir(target).catch((): string[] => [])).includes('ready')) return target;
  onProgress({ stage: `installing ${name} ${version} (${megabytes} MB)`, done: 0, total: 0 });
  const partial = `${target}.${process.pid}.partial`;
  await makeFolder(partial);
  try {
    await writeFile(join(partial, 'package.json'), '{ "private": true }\n');
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--save-exact', '--loglevel=error'];
    const result = await execa('npm', ['install', '--prefix', partial, ...flags, `${name}@${version}`], {
      reject: false,
      cwd: partial,
      timeout: TIMEOUT_MS,
      env: environment,
    });
    if (result.failed) {
      const lines = (result.stderr || result.shortMessage || '').trim().split('\n');
      throw new Error(lines.at(-1)!.slice(0, 300) || 'no message');
    }
    await trim?.(join(partial, 'node_modules', name));
    await writeFile(join(partial, 'ready'), '');
    await rename(partial, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return target;
}
