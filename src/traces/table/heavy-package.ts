import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { execa } from 'execa';
import type { OnProgress } from '../../progress.js';

const TIMEOUT_MS = 600_000;

/** A package of npm that is too heavy to come with ours: installed into the cache folder when it is first needed. */
export interface HeavyPackage {
  readonly name: string;
  readonly version: string;
  readonly megabytes: number;
}

/**
 * The package, from beside ours where it is installed there, else from the folder, where npm puts it.
 * @throws Error with npm's last line where it cannot be had.
 */
export async function loadHeavyPackage<Package>(
  { name, version, megabytes }: HeavyPackage,
  folder: string,
  onProgress: OnProgress,
): Promise<Package> {
  try {
    return createRequire(import.meta.url)(name) as Package;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
  }
  const target = join(folder, `${name.replace(/\W+/g, '-').replace(/^-/, '')}-${version}`);
  const installed = await readdir(target).catch((): string[] => []);
  if (!installed.includes('ready')) {
    onProgress({ stage: `installing ${name} ${version} (${megabytes} MB)`, done: 0, total: 0 });
    await install(`${name}@${version}`, target);
  }
  return createRequire(join(target, 'package.json'))(name) as Package;
}

/** Whole or not at all: two processes may install at once, the first to end wins. */
async function install(specifier: string, target: string): Promise<void> {
  const partial = `${target}.${process.pid}.partial`;
  await mkdir(partial, { recursive: true });
  try {
    await writeFile(join(partial, 'package.json'), '{ "private": true }\n');
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--save-exact', '--loglevel=error'];
    const result = await execa('npm', ['install', '--prefix', partial, ...flags, specifier], {
      reject: false,
      cwd: partial,
      timeout: TIMEOUT_MS,
    });
    if (result.failed) {
      const lines = (result.stderr || result.shortMessage || '').trim().split('\n');
      throw new Error(lines.at(-1)!.slice(0, 300) || 'no message');
    }
    await writeFile(join(partial, 'ready'), '');
    await rename(partial, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}
