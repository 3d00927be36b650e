import { setTimeout as wait } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { EvicpressError, systemFault } from '../../errors.js';
import { makeFolder } from '../../make-folder.js';

const STALE_MS = 60_000;
/** How long another process that fills the folder is waited for, and how often it is looked whether it has ended. */
const PATIENCE_MS = 600_000;
const LOOK_MS = 2000;
/** What the system says where this process may read the folder only. */
const READ_ONLY = ['EROFS', 'EACCES', 'EPERM'];

/**
 * Runs `work` while no other process fills the cache folder; waits up to ten minutes for its turn. In a folder that can
 * only be read, as one that came with a container image, there is nothing to wait for.
 * @throws EvicpressError where the folder cannot be made, or the work cannot write into it.
 */
export async function withCacheLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    await makeFolder(folder);
    const release = await lockOf(folder);
    try {
      return await work();
    } finally {
      await release?.();
    }
  } catch (error) {
    const fault = systemFault(error, folder);
    if (fault === error || !(fault instanceof EvicpressError)) throw error;
    throw new EvicpressError(`${fault.message} This is the cache folder: EVICPRESS_CACHE names another.`);
  }
}

/** The lock, to be released; undefined where the folder can only be read. @throws what the system says. */
async function lockOf(folder: string): Promise<(() => Promise<void>) | undefined> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await lock(folder, { stale: STALE_MS });
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (READ_ONLY.includes(code)) return undefined;
      if (code !== 'ELOCKED') throw error;
      if (performance.now() > giveUpAt)
        throw new EvicpressError(
          `${folder}: another process has been filling the cache folder for ${PATIENCE_MS / 60_000} minutes. Stop it, or wait for it.`,
          4,
        );
      await wait(LOOK_MS);
    }
  }
}
