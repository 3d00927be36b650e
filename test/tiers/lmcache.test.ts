import { readdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { measureAdapter, type RunLmcache } from '../../src/tiers/lmcache.js';
import { sandbox } from '../support/cli.js';
import { shortSettings as settings } from './settings.js';

const box = sandbox();
/** As LMCache 0.5.6 reports: 3 ms and 1 GB/s for a load, 5 ms and 500 MB/s for a store. */
function reporting(
  change: (operation: Record<string, unknown>) => object = (operation) => operation,
): RunLmcache {
  return async (args) => {
    const after = (flag: string) => args[args.indexOf(flag) + 1]!;
    const keys = Number(after('--num-keys'));
    const bytes = keys * Number(after('--data-size-kb')) * 1024;
    const operation = (name: string, seconds: number) =>
      change({
        operation: name,
        rounds: 8,
        total_keys: 8 * keys,
        total_success: 8 * keys,
        duration_p50_ms: 1e3 * seconds,
      });
    const metrics = {
      config: { num_keys: keys },
      op_0: operation('Store', 5e-3 + bytes / 500e6),
      op_1: { operation: 'Lookup', rounds: 8, total_keys: 8, total_success: 0, duration_p50_ms: 0.1 },
      op_2: operation('Load', 3e-3 + bytes / 1e9),
    };
    writeFileSync(after('--output'), JSON.stringify({ title: 'L2 Adapter Benchmark Result', metrics }));
  };
}

const leftOver = () => readdirSync(box.folder).filter((name) => name.startsWith('.evicpress-scratch'));

describe('lmcache', () => {
  it('fits what a load and a store of the adapter take, and removes its data', async () => {
    const found = await measureAdapter({ name: 'l2', location: box.folder }, settings, reporting());
    const { read, write } = found as unknown as Record<
      string,
      { latencySeconds: number; bytesPerSecond: number }
    >;
    expect(read!.latencySeconds).toBeCloseTo(3e-3, 6);
    expect(read!.bytesPerSecond / 1e9).toBeCloseTo(1, 4);
    expect(write!.latencySeconds).toBeCloseTo(5e-3, 6);
    expect(write!.bytesPerSecond / 500e6).toBeCloseTo(1, 4);
    expect(leftOver()).toEqual([]);
  });

  it('does not count chunks that were lost', async () => {
    const losing = reporting((operation) => ({ ...operation, total_success: 7 }));
    await expect(measureAdapter({ name: 'l2', location: box.folder }, settings, losing)).rejects.toThrow(
      /only 7 of 8 chunks came through in "Load".*--tier l2=file:FOLDER/,
    );
    expect(leftOver()).toEqual([]);
  });

  it.each([
    [undefined, /lmcache needs a folder/],
    ['/none/such', /no such folder/],
  ])('says what is wrong with %s', async (location, message) => {
    await expect(
      measureAdapter({ name: 'l2', ...(location !== undefined && { location }) }, settings, reporting()),
    ).rejects.toThrow(message);
  });

  it('takes no more room than it may', async () => {
    const small = { ...settings, scratchBytes: 1e6 };
    await expect(measureAdapter({ name: 'l2', location: box.folder }, small, reporting())).rejects.toThrow(
      /writes 604 MB, there is room for 1\.00 MB/,
    );
  });

  it('removes what a killed run has left, files and folders', async () => {
    const dead = 2 ** 22; // one above the highest number that Linux gives
    box.write(`.evicpress-scratch-${hostname()}-${dead}-aa/1/chunk`, 'left');
    expect(leftOver()).toHaveLength(1);
    await measureAdapter({ name: 'l2', location: box.folder }, settings, reporting());
    expect(leftOver()).toEqual([]);
  });
});
