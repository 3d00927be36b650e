import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { MeasureSettings } from '../../src/tiers/kind.js';
import { redis } from '../../src/tiers/redis.js';
import { parseRedisUrl, RedisClient } from '../../src/tiers/redis-client.js';

const BIN = fileURLToPath(new URL('../../bin/evicpress.js', import.meta.url));
const missing = spawnSync('redis-server', ['--version']).status !== 0;

function settings(changes: Partial<MeasureSettings> = {}): MeasureSettings {
  return {
    seconds: 3,
    sizes: [1e6, 4e6, 16e6],
    streams: [1, 2],
    seed: 1,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...changes,
  };
}

describe.skipIf(missing)('redis tier on a real server (apt install redis-server)', () => {
  let folder: string;
  let port: number;
  let server: ChildProcess;
  let client: RedisClient;
  const url = () => `redis://:correct@127.0.0.1:${port}`;
  const target = () => ({ name: 'r', kind: 'redis', location: url() });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'evicpress-redis-'));
    port = await freePort();
    server = await startRedis(port, folder, ['--requirepass', 'correct']);
    client = new RedisClient(parseRedisUrl(url(), {}));
    await client.at('precious', 'SET', 'precious', 'yes');
  });
  afterAll(() => {
    client.close();
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const keys = async () => ((await client.ask('KEYS', '*')) as Buffer[]).map(String);

  it('measures, shows no password and leaves other keys alone', async () => {
    const tier = await redis.measure(target(), settings());
    expect(tier.read.bytesPerSecond).toBeGreaterThan(1e6);
    expect(tier.write!.bytesPerSecond).toBeGreaterThan(1e6);
    expect(tier.location).toBe(`redis://127.0.0.1:${port}`);
    expect(JSON.stringify(tier)).not.toContain('correct');
    expect(await keys()).toEqual(['precious']);
  });

  it('cleans up what a killed run left', async () => {
    const args = ['--progress', 'json', 'profile', 'tiers', '--tier', `r=${url()}`, '--sizes', '1MB,4MB'];
    const run = spawn(process.execPath, [BIN, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    await new Promise<void>((resolve) => {
      run.stderr!.on('data', (data) => String(data).includes('"r read"') && resolve());
    });
    run.kill('SIGKILL');
    await new Promise((resolve) => run.once('exit', resolve));
    expect((await keys()).length).toBeGreaterThan(1);
    await redis.measure(target(), settings({ seconds: 1 }));
    expect(await keys()).toEqual(['precious']);
  });

  it('stops on an interrupt with nothing left', async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const measuring = redis.measure(target(), settings({ signal: controller.signal, onProgress }));
    await expect(measuring).rejects.toMatchObject({ exitCode: 130 });
    expect(await keys()).toEqual(['precious']);
  });

  it('refuses a wrong password in one line', async () => {
    const wrong = { ...target(), location: `redis://:wrong@127.0.0.1:${port}` };
    await expect(redis.measure(wrong, settings())).rejects.toThrow(/refuses the password/);
  });

  it('never takes more of the server than its free room allows', async () => {
    await client.ask('CONFIG', 'SET', 'maxmemory', '50mb');
    await expect(redis.measure(target(), settings({ scratchBytes: 100e6 }))).rejects.toThrow(/may take/);
    await client.ask('CONFIG', 'SET', 'maxmemory', '0');
  });

  it('says so when the server dies in the middle', async () => {
    const other = await freePort();
    const victim = await startRedis(other, folder, []);
    const onProgress = ({ stage }: { stage: string }) => {
      if (stage.endsWith('read')) victim.kill('SIGKILL');
    };
    const measuring = redis.measure(
      { name: 'r', kind: 'redis', location: `redis://127.0.0.1:${other}` },
      settings({ onProgress }),
    );
    await expect(measuring).rejects.toThrow(/Is the server still running|cannot be reached/);
  });

  it('measures over TLS where the certificate is trusted, and says so where it is not', async () => {
    const [tls, plain] = [await freePort(), await freePort()];
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate],
    ]);
    expect(made.status, String(made.stderr)).toBe(0);
    const flags = ['--tls-port', String(tls), '--tls-cert-file', certificate, '--tls-key-file', key];
    const secure = await startRedis(plain, folder, [...flags, '--tls-auth-clients', 'no']);
    try {
      const args = ['profile', 'tiers', '--quick', '--json', '--tier', `r=rediss://127.0.0.1:${tls}`];
      const run = (environment: NodeJS.ProcessEnv) =>
        execa(process.execPath, [BIN, ...args], { cwd: folder, env: environment, reject: false });
      const trusted = await run({ NODE_EXTRA_CA_CERTS: certificate });
      expect(trusted.exitCode).toBe(0);
      const [tier] = JSON.parse(trusted.stdout as string).tiers;
      expect(tier).toMatchObject({ location: `rediss://127.0.0.1:${tls}`, source: 'measured' });
      const refused = await run({});
      expect(refused.exitCode).toBe(1);
      expect(refused.stderr).toMatch(/^evicpress: .*certificate.*NODE_EXTRA_CA_CERTS.*$/);
    } finally {
      secure.kill('SIGKILL');
    }
  });

  it('measures a cluster of three', async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    const nodes = await Promise.all(
      ports.map((node) =>
        startRedis(node, folder, ['--cluster-enabled', 'yes', '--cluster-config-file', `${node}.conf`]),
      ),
    );
    try {
      const addresses = ports.map((node) => `127.0.0.1:${node}`);
      const made = spawnSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], {
        timeout: 60_000,
      });
      expect(made.status, String(made.stdout)).toBe(0);
      await vi.waitFor(() => Promise.all(ports.map(agreesOnCluster)), { timeout: 30_000 });
      const location = `redis://${addresses[0]}`;
      const tier = await redis.measure({ name: 'c', kind: 'redis', location }, settings());
      expect(tier.read.bytesPerSecond).toBeGreaterThan(1e6);
      for (const address of addresses) {
        const node = new RedisClient(parseRedisUrl(`redis://${address}`, {}));
        expect(await node.ask('DBSIZE')).toBe(0);
        node.close();
      }
    } finally {
      for (const node of nodes) node.kill('SIGKILL');
    }
  });
});

/** Each node learns by gossip that every slot is served; until then it refuses with CLUSTERDOWN. */
async function agreesOnCluster(port: number): Promise<void> {
  const node = new RedisClient(parseRedisUrl(`redis://127.0.0.1:${port}`, {}));
  try {
    expect(String(await node.ask('CLUSTER', 'INFO'))).toContain('cluster_state:ok');
  } finally {
    node.close();
  }
}

/** Low enough for a cluster's second port, 10000 above it. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = await new Promise<number>((resolve) => {
      const probe = createServer().listen(0, '127.0.0.1', () => {
        const address = probe.address() as { port: number };
        probe.close(() => resolve(address.port));
      });
    });
    if (port < 55_000) return port;
  }
}

/** Starts a server on loopback that saves nothing, and waits until it answers. */
async function startRedis(port: number, folder: string, more: string[]): Promise<ChildProcess> {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder, ...more];
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (data) => /Ready to accept connections/.test(String(data)) && resolve());
    child.once('exit', (code) => reject(new Error(`redis-server ended with code ${code}`)));
  });
  return child;
}
