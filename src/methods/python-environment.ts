import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { EvicpressError, printable } from '../errors.js';
import { cacheFolder } from '../formats/cache-folder.js';
import { makeFolder } from '../make-folder.js';
import type { OnProgress } from '../progress.js';

/** What the kvpress runner was checked with. */
const PINNED = ['kvpress==0.5.5', 'torch==2.13.0', 'transformers==5.2.0', 'ray==2.60.0'] as const;
const NAME = 'kvpress-0.5.5';
const MARK = '.complete';

/** The Python of the environment that `evicpress doctor --install kvpress` has made; undefined where it has not. */
export function installedPython(): string | undefined {
  const folder = join(cacheFolder(), NAME);
  // A virtual environment cannot be renamed; a mark says that it is whole.
  return existsSync(join(folder, MARK)) ? join(folder, 'bin', 'python') : undefined;
}

/**
 * Makes an environment for the kvpress runner in the cache folder: kvpress, torch, transformers and Ray, pinned.
 * @param python the interpreter it is made from, 3.10 or newer.
 * @returns the new environment's Python.
 * @throws EvicpressError with the last words of what failed.
 */
export async function installKvpress(python: string, onProgress: OnProgress): Promise<string> {
  const folder = join(cacheFolder(), NAME);
  const done = installedPython();
  if (done !== undefined) return done;
  await makeFolder(cacheFolder());
  await rm(folder, { recursive: true, force: true });
  try {
    onProgress({ stage: 'making a Python environment', done: 0, total: 0 });
    await run(python, ['-m', 'venv', folder]);
    onProgress({
      stage: `installing ${PINNED.join(', ')} (3 GB to download, 5.4 GB on disk)`,
      done: 0,
      total: 0,
    });
    const inside = join(folder, 'bin', 'python');
    await run(inside, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PINNED]);
    onProgress({ stage: 'trying it', done: 0, total: 0 });
    await run(inside, ['-c', 'import kvpress, ray']);
    await writeFile(join(folder, MARK), `${PINNED.join('\n')}\n`);
    return inside;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const { failed, code, stderr, exitCode } = await execa(program, args, { reject: false, stdin: 'ignore' });
  if (!failed) return;
  const said = stderr?.trim().split('\n').at(-1) ?? '';
  const why = code === 'ENOENT' ? 'there is no such program' : `exit code ${exitCode}`;
  throw new EvicpressError(
    `${printable(program)} ${args.slice(0, 3).join(' ')}: ${why}.${said === '' ? '' : ` ${printable(said, 300)}`} Name a Python of 3.10 or newer with --python, with access to a package index.`,
  );
}
