import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lock } from 'proper-lockfile';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withCacheLock } from '../../../src/methods/embedded/cache-lock.js';

/** A folder in which nothing can be made, whoever asks. */
const READ_ONLY = '/sys/kernel';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evicpress-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('waits for whoever fills the folder, and gives the lock back', async () => {
  const release = await lock(folder);
  const order: string[] = [];
  const work = withCacheLock(folder, async () => order.push('work'));
  // Long enough for it to have asked in vain.
  await new Promise((resolve) => setTimeout(resolve, 200));
  order.push('release');
  await release();
  await work;
  expect(order).toEqual(['release', 'work']);
  expect(existsSync(`${folder}.lock`)).toBe(false);
});

it.skipIf(!existsSync(READ_ONLY))('works at once in a folder that can only be read', async () => {
  expect(await withCacheLock(READ_ONLY, async () => 'read')).toBe('read');
});

it('says which folder cannot be used, and how to name another', async () => {
  writeFileSync(join(folder, 'file'), '');
  const another = /This is the cache folder: EVICPRESS_CACHE names another\.$/;
  await expect(withCacheLock(join(folder, 'file', 'cache'), async () => 1)).rejects.toThrow(another);
  const full = Object.assign(new Error('full'), { code: 'ENOSPC' });
  await expect(withCacheLock(folder, () => Promise.reject(full))).rejects.toThrow(/no space left/);
});
