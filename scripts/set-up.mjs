/** What `npm test` and `npm run quickstart` do first on a fresh clone: install, then build. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

const npm = (...args) => spawnSync('npm', args, { cwd: ROOT, stdio: 'inherit' }).status === 0;

/**
 * Installs what the lock file says where nothing is installed; where that cannot be had from the registry in
 * use, what package.json allows.
 * @returns whether it is installed now.
 */
export function install() {
  if (existsSync(join(ROOT, 'node_modules', '.package-lock.json'))) return true;
  console.log('Installing: npm ci');
  const quiet = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts'];
  if (npm('ci', ...quiet)) return true;
  console.log('npm ci failed: installing without the lock file');
  return npm('install', '--no-package-lock', ...quiet);
}

/** Builds dist/. @returns whether it was built without a fault. */
export function build() {
  console.log('Building: npm run build');
  return npm('run', '--silent', 'build');
}
