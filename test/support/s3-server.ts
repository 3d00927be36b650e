import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A real S3 server with one bucket, `cache`. */
export interface S3Server {
  readonly endpoint: string;
  /** Where its buckets lie. */
  readonly data: string;
  /** Its address and keys, for the AWS tools. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): void;
}

const KEY = 'S3RVER';

/**
 * Puts s3rver from npm into a folder of its own: 16 s, and no dependency of the project.
 * @returns undefined where it cannot be had.
 */
export function installS3Server(): { start(): Promise<S3Server>; remove(): void } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'evicpress-s3-'));
  const flags = ['--no-audit', '--no-fund', '--prefix', folder];
  const { status } = spawnSync('npm', ['install', ...flags, 's3rver@3.7.1'], { timeout: 300_000 });
  const remove = () => rmSync(folder, { recursive: true, force: true });
  if (status === 0) return { start: () => start(folder), remove };
  remove();
  return undefined;
}

async function start(folder: string): Promise<S3Server> {
  const data = join(folder, 'data');
  mkdirSync(data);
  const port = await freePort();
  const args = ['-d', data, '-a', '127.0.0.1', '-p', String(port), '--configure-bucket', 'cache'];
  const server: ChildProcess = spawn(
    process.execPath,
    [join(folder, 'node_modules/s3rver/bin/s3rver.js'), ...args],
    { stdio: 'ignore' },
  );
  const endpoint = `http://127.0.0.1:${port}`;
  const stop = () => void server.kill('SIGKILL');
  for (let attempt = 0; attempt < 100; attempt++) {
    const answered = await fetch(endpoint).then(
      () => true,
      () => false,
    );
    if (answered) {
      const environment = { AWS_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: KEY };
      return { endpoint, data, environment, stop };
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  stop();
  throw new Error('the S3 server did not start');
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
