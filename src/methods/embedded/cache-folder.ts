import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { lock } from 'proper-lockfile';

/** Where downloads and built models are kept: $EVICPRESS_CACHE, else evicpress in the user's cache folder. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.EVICPRESS_CACHE) return environment.EVICPRESS_CACHE;
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'evicpress');
}

/** Runs `work` while no other process fills the cache folder; waits up to ten minutes for its turn. */
export async function withCacheLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true });
  const release = await lock(folder, {
    stale: 60_000,
    retries: { retries: 300, minTimeout: 2000, maxTimeout: 2000 },
  });
  try {
    return await work();
  } finally {
    await release();
  }
}
