import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A file of the reference material beside the repository; undefined where it is not there, so that a test can skip. */
export function sharedFile(path: string): string | undefined {
  const full = fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
  return existsSync(full) ? full : undefined;
}
