#!/usr/bin/env node
/**
 * `npm test`: types, lint and the fast tests, also on a fresh clone. The last line says how many checks
 * passed and failed; types and lint count as one each.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules', '.bin', name);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  return status === 0;
}

/** Development dependencies where they are missing, then the program that the command-line tests start. */
function setUp() {
  const installed = existsSync(join(root, 'node_modules', '.package-lock.json')) && existsSync(bin('vitest'));
  if (!installed && !run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'])) return false;
  run('npm', ['run', '--silent', 'build']); // what is wrong with the types is counted below
  return true;
}

/** Runs vitest; a file that does not even load counts as one failure. */
function vitest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'evicpress-test-'));
  const report = join(folder, 'vitest.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const clean = run(bin('vitest'), ['run', ...reporters, ...args]);
    if (!existsSync(report)) return { passed: 0, failed: 1 };
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    const unloaded = testResults.filter(
      ({ status, assertionResults }) =>
        status === 'failed' && !assertionResults.some((result) => result.status === 'failed'),
    ).length;
    const failed = numFailedTests + unloaded;
    return { passed: numPassedTests, failed: clean ? failed : Math.max(1, failed) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function main(args) {
  if (!setUp()) return { passed: 0, failed: 1 };
  const checks = [
    run(bin('tsc'), ['-p', 'tsconfig.json', '--noEmit']),
    run(bin('biome'), ['check', '--max-diagnostics=50', '.']),
  ];
  const tests = vitest(args);
  return {
    passed: tests.passed + checks.filter((ok) => ok).length,
    failed: tests.failed + checks.filter((ok) => !ok).length,
  };
}

const { passed, failed } = main(process.argv.slice(2));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
