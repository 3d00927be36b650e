import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, describe, expect, it } from 'vitest';
import { transferSeconds } from '../../src/cost/transfer.js';
import type { Tier } from '../../src/formats/tiers.js';
import { median } from '../../src/tiers/fit.js';
import { BIN } from '../support/cli.js';
import { noSlowNetwork, SlowNetwork } from '../support/slow-network.js';
import { noThrottle, SmallDisk, ThrottledGroup } from '../support/small-disk.js';

type Measured = Tier & {
  readonly verdict: { readonly reasons: string[] };
  readonly writeSamples: NonNullable<Tier['samples']>;
};

/** Median relative error of what one run predicts for the transfers of another. */
function foretold(law: Tier['read'], samples: NonNullable<Tier['samples']>): number {
  return median(
    samples.map(({ bytes, streams, seconds }) =>
      Math.abs(transferSeconds(law, bytes, streams) / seconds - 1),
    ),
  );
}

/** Bytes per second that dd gets in a group: the kernel throttles in slices of time, and lets some more through than it is told. */
function steadyRates(group: ThrottledGroup, folder: string): { read: number; write: number } {
  const file = join(folder, 'steady');
  const bytes = 128 * 4 * 2 ** 20;
  const rate = (...args: string[]) => {
    const started = performance.now();
    const { status } = spawnSync(...group.inside('dd', [...args, 'bs=4M', 'count=128', 'status=none']));
    expect(status).toBe(0);
    return (1000 * bytes) / (performance.now() - started);
  };
  const write = rate('if=/dev/zero', `of=${file}`, 'oflag=direct', 'conv=fsync');
  const read = rate(`if=${file}`, 'of=/dev/null', 'iflag=direct');
  rmSync(file);
  return { read, write };
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** A shared machine can disturb one run; three runs disturbed alike are a fault. */
const TRIES = { retry: 2 };

const noDisk = noThrottle();
describe.skipIf(noDisk !== undefined)(`a disk throttled by the kernel (${noDisk ?? 'control group'})`, () => {
  const READ = 200e6;
  const WRITE = 150e6;

  it('is measured at its true rate, by fio too, and predicts the next run', TRIES, async () => {
    const disk = new SmallDisk(1500);
    cleanups.push(() => disk.remove());
    const group = new ThrottledGroup(disk.device, READ, WRITE);
    cleanups.push(() => group.remove());
    const measure = async (): Promise<Measured & { details: { fio?: { ratio: number } } }> => {
      const args = [BIN, 'profile', 'tiers', '-o', '-', '--tier', `disk=file:${disk.folder}`];
      const sizes = ['--sizes', '4MB,16MB,64MB,256MB', '--streams', '1,2', '--scratch', '512MB'];
      const { stdout } = await execa(...group.inside(process.execPath, [...args, ...sizes]));
      return JSON.parse(stdout).tiers[0];
    };
    const first = await measure();
    const second = await measure();
    const steady = steadyRates(group, disk.folder);
    for (const { read, write } of [first, second]) {
      expect(Math.abs(read.bytesPerSecond / steady.read - 1)).toBeLessThan(0.1);
      expect(Math.abs(write!.bytesPerSecond / steady.write - 1)).toBeLessThan(0.1);
    }
    const alone = second.samples!.filter((sample) => sample.streams === 1);
    expect(foretold(first.read, alone)).toBeLessThan(0.05);
    const ratio = first.details.fio?.ratio;
    if (ratio !== undefined) expect(Math.abs(ratio - 1)).toBeLessThan(0.2);
    expect(readdirSync(disk.folder)).toEqual(['lost+found']);
  });
});

const missing =
  spawnSync('redis-server', ['--version']).status !== 0 ? 'apt install redis-server' : noSlowNetwork();
describe.skipIf(missing !== undefined)(`a server behind a token bucket (${missing ?? 'tc tbf'})`, () => {
  const RATE = 25e6;
  /** Of each packet of 1500 bytes and its frame, what is neither Ethernet, IP nor TCP. */
  const PAYLOAD = 1448 / 1514;

  async function measureBehind(burstBytes: number, sizes: string): Promise<Measured[]> {
    const network = new SlowNetwork(RATE, burstBytes);
    cleanups.push(() => network.remove());
    const folder = mkdtempSync(join(tmpdir(), 'evicpress-slow-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const server = await startRedis(network, folder);
    cleanups.push(() => server.kill('SIGKILL'));
    const args = [BIN, 'profile', 'tiers', '--tier', `r=redis://${network.address}:21392`, '--sizes', sizes];
    const runs: Measured[] = [];
    for (let run = 0; run < 2; run++) {
      const { stdout } = await execa(process.execPath, [...args, '--streams', '1,2', '-o', '-'], {
        cwd: folder,
      });
      runs.push(JSON.parse(stdout).tiers[0]);
    }
    return runs;
  }

  it('is measured at its true rate, and predicts the next run', TRIES, async () => {
    const [first, second] = await measureBehind(1e6, '1MB,2MB,4MB,8MB');
    for (const { read, write } of [first!, second!]) {
      expect(Math.abs(read.bytesPerSecond / (PAYLOAD * RATE) - 1)).toBeLessThan(0.1);
      expect(Math.abs(write!.bytesPerSecond / (PAYLOAD * RATE) - 1)).toBeLessThan(0.1);
    }
    expect(foretold(first!.read, second!.samples!)).toBeLessThan(0.05);
    expect(foretold(first!.write!, second!.writeSamples)).toBeLessThan(0.05);
  });

  it('is measured past its burst, which is named', TRIES, async () => {
    const [first] = await measureBehind(100e6, '512KB,1MB,2MB,4MB');
    expect(first!.verdict.reasons.join('\n')).toMatch(/a burst of .* fell to/);
    expect(Math.abs(first!.read.bytesPerSecond / (PAYLOAD * RATE) - 1)).toBeLessThan(0.1);
  });
});

async function startRedis(network: SlowNetwork, folder: string): Promise<ChildProcess> {
  const args = [
    '--port',
    '21392',
    '--bind',
    network.address,
    '--protected-mode',
    'no',
    '--save',
    '',
    '--dir',
    folder,
  ];
  const server = spawn(...network.inside('redis-server', args), { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    server.stdout!.on('data', (data) => /Ready to accept/.test(String(data)) && resolve());
    server.once('exit', (code) => reject(new Error(`redis-server ended with code ${code}`)));
  });
  return server;
}
