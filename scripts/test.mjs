#!/usr/bin/env node
/**
 * `npm test`: types, lint and the fast tests, also on a fresh clone. The last line says how many checks
 * passed and failed; types and lint count as one each.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, install, ROOT } from './set-up.mjs';

const bin = (name) => join(ROOT, 'node_modules', '.bin', name);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  return status === 0;
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
  if (!install()) return { passed: 0, failed: 1 };
  build(); // what is wrong with the types is counted below
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
