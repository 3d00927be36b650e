import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { file } from '../../src/tiers/file.js';
import { fioRead } from '../../src/tiers/fio.js';
import type { MeasureSettings } from '../../src/tiers/kind.js';
import { folderFault, openScratch, removeLeftovers, scratchSize } from '../../src/tiers/scratch.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evicpress-file-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function settings(changes: Partial<MeasureSettings> = {}): MeasureSettings {
  return {
    seconds: 1,
    sizes: [1e6, 4e6],
    streams: [1, 2],
    scratchBytes: 64 * 2 ** 20,
    seed: 1,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...changes,
  };
}

const target = () => ({ name: 'disk', kind: 'file', location: folder });

describe('file tier', () => {
  it('measures reads and writes and leaves nothing behind', async () => {
    const tier = await file.measure(target(), settings());
    expect(tier.read.bytesPerSecond).toBeGreaterThan(1e6);
    expect(tier.write!.bytesPerSecond).toBeGreaterThan(1e6);
    // Every size with one stream always; a second pass and more streams as far as the time goes.
    const alone = tier.samples!.filter((sample) => sample.streams === 1);
    expect(new Set(alone.map((sample) => sample.bytes)).size).toBe(2);
    expect(tier).toMatchObject({ location: folder, details: { scratchBytes: 64 * 2 ** 20 } });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('has no file name even while it measures', async () => {
    const seen: string[] = [];
    await file.measure(target(), settings({ onProgress: () => seen.push(...readdirSync(folder)) }));
    expect(seen).toEqual([]);
  });

  it('stops in the middle and leaves nothing behind', async () => {
    const controller = new AbortController();
    const onProgress = ({ stage }: { stage: string }) => {
      if (stage.endsWith('read')) controller.abort();
    };
    await expect(
      file.measure(target(), settings({ seconds: 20, signal: controller.signal, onProgress })),
    ).rejects.toMatchObject({ exitCode: 130 });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('calls a folder in memory by its name', async (context) => {
    const isTmpfs = process.platform === 'linux' && statfsSync('/dev/shm').type === 0x01021994;
    if (!isTmpfs) context.skip('there is no tmpfs here');
    const tier = await file.measure({ name: 'shm', kind: 'file', location: '/dev/shm' }, settings());
    expect((tier as { verdict?: { reasons: string[] } }).verdict!.reasons.join()).toMatch(/tmpfs/);
  });

  it('says in one line what is wrong with a folder', async () => {
    const missing = { name: 'disk', kind: 'file', location: join(folder, 'none') };
    await expect(file.measure(missing, settings())).rejects.toThrow(/no such folder/);
    writeFileSync(join(folder, 'plain'), 'x');
    const plain = { name: 'disk', kind: 'file', location: join(folder, 'plain') };
    await expect(file.measure(plain, settings())).rejects.toThrow(/this is a file/);
  });

  it('refuses a folder it may not write', async (context) => {
    if (process.getuid?.() === 0) context.skip('root may write everywhere');
    const locked = join(folder, 'locked');
    mkdirSync(locked);
    chmodSync(locked, 0o500);
    const error = file.measure({ name: 'disk', kind: 'file', location: locked }, settings());
    await expect(error).rejects.toThrow(/may not write there/);
  });

  it('refuses more test data than there is room', async () => {
    const error = file.measure(target(), settings({ scratchBytes: 1e18 }));
    await expect(error).rejects.toThrow(/no space on .*needs 1000 PB free/);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('scratchSize', () => {
  it('takes a tenth of a nearly full disk at most', () => {
    expect(scratchSize('disk', '/x', 2e9, 1e9, false)).toBeLessThanOrEqual(2e8);
  });

  it('refuses a disk that is all but full', () => {
    expect(() => scratchSize('disk', '/x', 1e12, 5e7, true)).toThrow(
      /--scratch 50\.0 MB is less than measuring takes\. Give it 67\.1 MB or more/,
    );
    expect(() => scratchSize('disk', '/x', 1e8, 1e9, false)).toThrow(/no space on \/x/);
  });
});

describe('folderFault', () => {
  it.each([
    ['ENOSPC', /no space left while writing/],
    ['EROFS', /read-only/],
    ['EIO', /input\/output error/],
    ['EACCES', /may not write/],
  ])('puts %s into words', (code, message) => {
    expect(String(folderFault(Object.assign(new Error(code), { code }), '/x', 'disk'))).toMatch(message);
  });
});

describe('removeLeftovers', () => {
  it('removes what a dead run of this machine left, and nothing else', () => {
    const dead = `.evicpress-scratch-${hostname()}-4194305-00000000`;
    const alive = `.evicpress-scratch-${hostname()}-${process.pid}-00000000`;
    const elsewhere = '.evicpress-scratch-other-host.example-4194305-00000000';
    for (const name of [dead, alive, elsewhere, 'precious']) writeFileSync(join(folder, name), '');
    removeLeftovers(folder);
    expect(readdirSync(folder).sort()).toEqual([alive, elsewhere, 'precious'].sort());
  });

  it('does so whenever a scratch file is opened', () => {
    writeFileSync(join(folder, `.evicpress-scratch-${hostname()}-4194305-00000000`), '');
    openScratch(folder, 'disk').close();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('fioRead', () => {
  const report = (bandwidth: number, error = 0) =>
    `fio: some warning\n${JSON.stringify({ 'fio version': 'fio-3.33', jobs: [{ error, read: { bw_bytes: bandwidth } }] })}`;

  it('reads the figure past warnings', async () => {
    const reading = await fioRead('/x', 1e6, 1, async () => report(5e8));
    expect(reading).toEqual({ version: 'fio-3.33', engine: 'io_uring', bytesPerSecond: 5e8 });
  });

  it('goes on to the next engine where one does not work', async () => {
    const run = async (_: string, args: readonly string[]) => {
      if (args.includes('--ioengine=libaio')) return report(4e8);
      throw new Error('exit 1');
    };
    expect(await fioRead('/x', 1e6, 1, run)).toMatchObject({ engine: 'libaio', bytesPerSecond: 4e8 });
  });

  it('is silent where fio is missing', async () => {
    const run = async () => {
      throw Object.assign(new Error('spawn fio ENOENT'), { code: 'ENOENT' });
    };
    expect(await fioRead('/x', 1e6, 1, run)).toBeUndefined();
  });

  it('never writes', async () => {
    let asked: readonly string[] = [];
    await fioRead('/x', 1e6, 1, async (_, args) => {
      asked = args;
      return report(1);
    });
    expect(asked).toEqual(expect.arrayContaining(['--readonly', '--rw=read']));
  });
});
