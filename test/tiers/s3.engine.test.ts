import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const BIN = fileURLToPath(new URL('../../bin/evicpress.js', import.meta.url));
const SHORT = ['--sizes', '1MB,4MB,16MB', '--streams', '1,2', '--seconds-per-tier', '3'];

/** A real S3 server from npm, installed into a folder of its own: 16 s, and no dependency of the project. */
const folder = mkdtempSync(join(tmpdir(), 'evicpress-s3-'));
const installed = spawnSync(
  'npm',
  ['install', '--no-audit', '--no-fund', '--prefix', folder, 's3rver@3.7.1'],
  {
    timeout: 300_000,
  },
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(installed.status !== 0)('s3 tier on a real server (s3rver from npm)', () => {
  const data = join(folder, 'data');
  let server: ChildProcess;
  let endpoint: string;

  beforeAll(async () => {
    mkdirSync(data);
    const port = await freePort();
    endpoint = `http://127.0.0.1:${port}`;
    const args = ['-d', data, '-a', '127.0.0.1', '-p', String(port), '--configure-bucket', 'cache'];
    server = spawn(process.execPath, [join(folder, 'node_modules/s3rver/bin/s3rver.js'), ...args], {
      stdio: 'ignore',
    });
    for (let attempt = 0; attempt < 100; attempt++) {
      const answered = await fetch(endpoint).then(
        () => true,
        () => false,
      );
      if (answered) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the S3 server did not start');
  });
  afterAll(() => {
    server.kill('SIGKILL');
  });

  const environment = () => ({
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
  });
  const evicpress = (...args: string[]) =>
    execa(process.execPath, [BIN, ...args], { cwd: folder, env: environment(), reject: false });
  const objects = () =>
    readdirSync(join(data, 'cache'), { recursive: true, encoding: 'utf8' }).filter((name) =>
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
      env: { ...process.env, ...environment() },
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

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
