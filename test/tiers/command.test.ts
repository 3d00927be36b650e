import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const BIN = fileURLToPath(new URL('../../bin/evicpress.js', import.meta.url));
const SHORT = ['--seconds-per-tier', '1', '--sizes', '1MB,4MB', '--streams', '1,2', '--scratch', '300MB'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evicpress-command-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const evicpress = (...args: string[]) =>
  execa(process.execPath, [BIN, ...args], { cwd: folder, reject: false, timeout: 60_000 });

describe('evicpress profile tiers', () => {
  it('prints a table and writes tiers.json', async () => {
    const { stdout, exitCode } = await evicpress('profile', 'tiers', '--tier', 'disk=file:.', ...SHORT);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^tier +kind +capacity/);
    expect(stdout).toContain('Written to .evicpress/tiers.json.');
    const profile = JSON.parse(readFileSync(join(folder, '.evicpress/tiers.json'), 'utf8'));
    expect(profile).toMatchObject({ format: 'evicpress.tiers', version: 1, tiers: [{ name: 'disk' }] });
    expect(profile.host.memoryBytes).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual(['.evicpress']);
  });

  it('prints one JSON object with --json, and takes capacities', async () => {
    const { stdout } = await evicpress(
      ...['profile', 'tiers', '--json', '--tier', 'disk=file:.', '--capacity', 'disk=80GB', ...SHORT],
    );
    expect(JSON.parse(stdout).tiers[0]).toMatchObject({ name: 'disk', capacityBytes: 80e9 });
  });

  it('says where a model is named and nothing is measured that goes with one', async () => {
    const { stderr } = await evicpress(
      ...['profile', 'tiers', '--model', 'llama-3.1-8b', '--tier', 'disk=file:/none/such'],
    );
    expect(stderr).toMatch(/^warning: --model goes with the prefill that a tier of kind engine shows/);
  });

  it.each([
    [['--tier', 'a=dram', '--tier', 'a=file:.'], /tier "a" is named twice/],
    [['--tier', 'a=drum'], /Unknown tier kind "drum"\. Did you mean dram\?/],
    [['--tier', 'dram=dram:/mnt'], /dram takes no location/],
    [['--tier', 'disk=file:/none/such'], /\/none\/such: no such folder/],
    [['--tier', 'disk=file:.', '--scratch', '900PB'], /no space on .* needs 900 PB free/],
    [['--tier', 'disk=file:.', '--scratch', 'unlimited'], /needs a limit/],
    [['--tier', 'disk=file:.', '--capacity', 'dsk=1GB'], /Unknown tier "dsk"\. Did you mean disk\?/],
    [['--tier', 'disk=file:.', '--capacity', 'disk'], /not TIER=SIZE/],
    [['--seconds-per-tier', '0'], /--seconds-per-tier: "0" is not a number from 1/],
    [['--seconds-per-tier', 'NaN'], /is not a number/],
    [['--streams', '1,2.5'], /not a whole number/],
    [['--sizes', '1XB'], /unknown unit of size/],
    [['--tier', 'disk=file:/proc'], /^evicpress: Tier disk: no space on \/proc/],
  ])('answers %j in one line', async (args, message) => {
    const { stderr, exitCode } = await evicpress('profile', 'tiers', ...args);
    expect(stderr).toMatch(message);
    expect(stderr.split('\n')).toHaveLength(1);
    expect(exitCode).toBe(1);
  });

  it('says what is wrong with the second tier before an hour goes into the first', async () => {
    const tiers = ['--tier', 'disk=file:.', '--tier', 'nvme=file:/none/such'];
    const { stderr, exitCode } = await evicpress('profile', 'tiers', ...tiers, '--seconds-per-tier', '3600');
    expect(stderr).toMatch(/^evicpress: Tier nvme: \/none\/such: no such folder/);
    expect(exitCode).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves nothing behind on Ctrl-C, and exits 130', async () => {
    const child = startLong();
    await firstReading(child);
    child.kill('SIGINT');
    expect(await ended(child)).toBe(130);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves nothing behind when killed outright', async () => {
    const child = startLong();
    await firstReading(child);
    child.kill('SIGKILL');
    await ended(child);
    expect(readdirSync(folder)).toEqual([]);
  });
});

function startLong(): ChildProcess {
  const args = ['--progress', 'json', 'profile', 'tiers', '--tier', 'disk=file:.', '--scratch', '64MiB'];
  return spawn(process.execPath, [BIN, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
}

function firstReading(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr!.on('data', (data) => {
      text += data;
      if (text.includes('disk read')) resolve();
    });
    child.on('exit', () => reject(new Error(`ended before its first reading: ${text}`)));
  });
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}
