import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installS3Server, type S3Server } from '../support/s3-server.js';

const BIN = fileURLToPath(new URL('../../bin/evicpress.js', import.meta.url));
const SHORT = ['--sizes', '1MB,4MB,16MB', '--streams', '1,2', '--seconds-per-tier', '3'];

const installed = installS3Server();
afterAll(() => installed?.remove());

describe.skipIf(installed === undefined)('s3 tier on a real server (s3rver from npm)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evicpress-s3-tier-'));
  let server: S3Server;
  beforeAll(async () => {
    server = await installed!.start();
  });
  afterAll(() => {
    server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const evicpress = (...args: string[]) =>
    execa(process.execPath, [BIN, ...args], { cwd: folder, env: server.environment, reject: false });
  const objects = () =>
    readdirSync(join(server.data, 'cache'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('_object'),
    );

  it('measures and leaves nothing behind', async () => {
    const { stdout } = await evicpress('profile', 'tiers', '--json', '--tier', 'o=s3://cache/kv', ...SHORT);
    const [tier] = JSON.parse(stdout).tiers;
    expect(tier).toMatchObject({ kind: 's3', capacityBytes: null, source: 'measured' });
    expect(tier.read.bytesPerSecond).toBeGreaterThan(1e6);
    expect(objects()).toEqual([]);
  });

  it('cleans up what a killed run left', async () => {
    const args = ['--progress', 'json', 'profile', 'tiers', '--tier', 'o=s3://cache/kv', ...SHORT];
    const run = spawn(process.execPath, [BIN, ...args], {
      cwd: folder,
      env: { ...process.env, ...server.environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await new Promise<void>((resolve) => {
      run.stderr!.on('data', (text) => String(text).includes('"o read"') && resolve());
    });
    run.kill('SIGKILL');
    await new Promise((resolve) => run.once('exit', resolve));
    expect(objects().length).toBeGreaterThan(0);
    await evicpress('profile', 'tiers', '--tier', 'o=s3://cache/kv', ...SHORT);
    expect(objects()).toEqual([]);
  });

  it('says in one line that a bucket does not exist', async () => {
    const { stderr, exitCode } = await evicpress(
      'profile',
      'tiers',
      '--tier',
      'o=s3://no-such-bucket',
      ...SHORT,
    );
    expect(stderr).toMatch(/^evicpress: S3 bucket no-such-bucket at .*: there is no such bucket\./);
    expect(exitCode).toBe(1);
  });
});
