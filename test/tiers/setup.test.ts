import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { examine } from '../../src/commands/doctor.js';
import { configText } from '../../src/commands/init.js';
import { readConfig } from '../../src/formats/config.js';
import { mountedDisks } from '../../src/tiers/disks.js';
import { parseTargets } from '../../src/tiers/targets.js';

const BIN = fileURLToPath(new URL('../../bin/evicpress.js', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evicpress-setup-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const evicpress = (...args: string[]) =>
  execa(process.execPath, [BIN, ...args], { cwd: folder, reject: false, timeout: 60_000 });

describe('mountedDisks', () => {
  const MOUNTS = [
    'proc /proc proc rw 0 0',
    '/dev/sda1 / ext4 rw,relatime 0 0',
    '/dev/sda1 /srv/bound ext4 rw 0 0',
    '/dev/sda2 /boot/efi vfat rw 0 0',
    '/dev/nvme0n1 /mnt/fast\\040disk xfs rw 0 0',
    '/dev/nvme1n1 /mnt/frozen xfs ro 0 0',
    'filer:/export /mnt/nfs nfs4 rw 0 0',
    '/dev/loop3 /mnt/image squashfs rw 0 0',
  ].join('\n');
  const classOf = (device: string) => (device.includes('nvme') ? 'NVMe' : 'hard disk');

  it('lists what can be written, fast to slow, each device once', () => {
    expect(mountedDisks(MOUNTS, classOf, () => true)).toEqual([
      { folder: '/mnt/fast disk', device: '/dev/nvme0n1', speedClass: 'NVMe' },
      { folder: '/mnt/nfs', device: 'filer:/export', speedClass: 'network' },
      { folder: '/', device: '/dev/sda1', speedClass: 'hard disk' },
    ]);
  });

  it('takes the folder of a device that this user may write to', () => {
    const disks = mountedDisks(MOUNTS, classOf, (path) => path.startsWith('/srv'));
    expect(disks.map((disk) => disk.folder)).toEqual(['/srv/bound']);
  });
});

describe('evicpress init', () => {
  it('writes a configuration that every command reads', async () => {
    writeFileSync(
      join(folder, 'requests.jsonl'),
      '{"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]}\n',
    );
    const { stdout, exitCode } = await evicpress('init');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Written to evicpress.yaml');
    const config = await readConfig(folder);
    expect(config.profile!.tier!.dram).toBe('dram');
    expect(config.trace).toBe('requests.jsonl');
    const flags = Object.entries(config.profile!.tier!).map(([name, text]) => `${name}=${text}`);
    expect(parseTargets(flags).length).toBeGreaterThan(0);
  });

  it('does not overwrite one that is there', async () => {
    writeFileSync(join(folder, 'evicpress.yaml'), 'alpha: 3\n');
    const { stderr, exitCode } = await evicpress('init');
    expect(stderr).toMatch(/is there already\. Edit it, or write a new one with --force/);
    expect(exitCode).toBe(1);
    expect(readFileSync(join(folder, 'evicpress.yaml'), 'utf8')).toBe('alpha: 3\n');
    expect((await evicpress('init', '--force')).exitCode).toBe(0);
  });

  it('quotes what YAML would misread', async () => {
    const found = { target: { name: 'disk', kind: 'file', location: '/mnt/a b #1' }, note: 'SSD' };
    const text = configText({ tiers: [found], links: [], engines: [], logs: [] });
    writeFileSync(join(folder, 'evicpress.yaml'), text);
    expect((await readConfig(folder)).profile!.tier).toEqual({ disk: 'file:/mnt/a b #1' });
    for (const path of [
      '- a.jsonl',
      'log #1: a.jsonl',
      '[b].jsonl',
      '@c.jsonl',
      'süß.jsonl',
      'plain-1.jsonl',
    ]) {
      const logs = [{ path, format: 'mooncake' }];
      writeFileSync(
        join(folder, 'evicpress.yaml'),
        configText({ tiers: [found], links: [], engines: [], logs }),
      );
      expect((await readConfig(folder)).trace).toBe(path);
    }
  });
});

describe('evicpress doctor', () => {
  it('finds what answers, and says how to get what does not', async () => {
    const findings = await examine(async (program) => (program === 'fio' ? 'fio-3.33' : undefined));
    const of = (what: string) => findings.find((finding) => finding.what === what)!;
    expect(of('fio')).toEqual({ what: 'fio', state: 'ok', detail: 'fio-3.33' });
    expect(of('GPU')).toMatchObject({ state: 'missing' });
    expect(of('Python').remedy).toMatch(/kvpress runner/);
    for (const { state, remedy } of findings) expect(state === 'ok').toBe(remedy === undefined);
  });

  it('refuses a configuration that is not valid, with its line', async () => {
    writeFileSync(join(folder, 'evicpress.yaml'), 'model: a\ntiers: [\n');
    const { stderr, exitCode } = await evicpress('doctor');
    expect(stderr).toMatch(/evicpress\.yaml:\d+: /);
    expect(exitCode).toBe(1);
  });
});

describe('evicpress profile --list', () => {
  it('shows every bundled machine and model', async () => {
    const { stdout } = await evicpress('profile', '--list');
    for (const name of ['h100-host', 'l40s-host', 'nvme-gen5', 's3', 'llama-3.1-8b', 'deepseek-v3']) {
      expect(stdout).toContain(name);
    }
    const json = JSON.parse((await evicpress('profile', '--list', '--json')).stdout);
    expect(json.models.length).toBeGreaterThan(26);
    expect(json.tiers[0].tiers[0].read.source).not.toBe('');
  });

  it('lists, and measures nothing, after `tiers` and `methods` too', async () => {
    const { stdout } = await evicpress('profile', '--list');
    for (const half of ['tiers', 'methods']) {
      const outcome = await evicpress('profile', half, '--list');
      expect(outcome).toMatchObject({ stdout, exitCode: 0 });
    }
    expect(existsSync(join(folder, '.evicpress'))).toBe(false);
  });
});
