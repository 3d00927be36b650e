import { lock } from 'proper-lockfile';
import { makeFolder } from '../../make-folder.js';

/** Runs `work` while no other process fills the cache folder; waits up to ten minutes for its turn. */
export async function withCacheLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  await makeFolder(folder);
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
