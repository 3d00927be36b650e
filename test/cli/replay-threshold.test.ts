import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, it } from 'vitest';
import { BIN } from '../support/cli.js';

/** A folder without results: what lies in .evicpress would be taken for granted. */
const folder = mkdtempSync(join(tmpdir(), 'evicpress-threshold-'));
afterAll(() => rmSync(folder, { recursive: true }));

const replayed = (...flags: string[]) =>
  execa(process.execPath, [BIN, 'replay', '-q', '-o', '-', ...flags], { reject: false, cwd: folder });

describe('replay --fail-above', () => {
  it('exits with 3 where the quickest policy is slower, the result complete', async () => {
    const { exitCode, stdout, stderr } = await replayed('--policies', 'lru,belady', '--fail-above', '1ms');
    expect(exitCode).toBe(3);
    expect(JSON.parse(stdout).policies).toHaveLength(2);
    expect(stderr).toMatch(/the mean TTFT of belady is .*, above --fail-above 1\.00 ms\./);
  });

  it('judges policy evicpress where it was replayed', async () => {
    const { exitCode, stderr } = await replayed('--policies', 'belady,evicpress', '--fail-above', 'p50=1ms');
    expect(exitCode).toBe(3);
    expect(stderr).toContain('the p50 TTFT of evicpress is');
  });

  it('exits with 0 where it is met, and with 1 for what is no limit', async () => {
    expect((await replayed('--policies', 'lru', '--fail-above', 'p99=1h')).exitCode).toBe(0);
    expect((await replayed('--policies', 'lru', '--fail-above', 'best=1s')).exitCode).toBe(1);
  });
});
