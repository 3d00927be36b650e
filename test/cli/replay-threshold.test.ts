import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { BIN } from '../support/cli.js';

const replayed = (...flags: string[]) =>
  execa(process.execPath, [BIN, 'replay', '-q', '-o', '-', ...flags], { reject: false });

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
