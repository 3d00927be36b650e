import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where downloads, built models and parsed logs are kept: $EVICPRESS_CACHE, else evicpress in the user's cache folder. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.EVICPRESS_CACHE) return environment.EVICPRESS_CACHE;
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'evicpress');
}

/** Where parsed request logs are kept. */
export function logCacheFolder(): string {
  return join(cacheFolder(), 'logs');
}
