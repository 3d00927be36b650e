import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { redis } from '../../src/tiers/redis.js';

const missing = spawnSync('redis-server', ['--version']).status !== 0;
const PORT = 21_391;

/** A token bucket between client and server: `burstBytes` at full speed, then `bytesPerSecond`. */
class Throttle {
  private tokens: number;
  private at = performance.now();
  private readonly server: Server;

  constructor(
    private readonly bytesPerSecond: number,
    private readonly burstBytes: number,
    private readonly upstream: number,
  ) {
    this.tokens = burstBytes;
    this.server = createServer((client) => {
      const up = connect(this.upstream, '127.0.0.1');
      void this.forward(client, up);
      void this.forward(up, client);
    });
  }

  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.server.listen(0, '127.0.0.1', () => resolve((this.server.address() as { port: number }).port));
    });
  }

  close(): void {
    this.server.close();
  }

  private async forward(from: Socket, to: Socket): Promise<void> {
    to.on('error', () => from.destroy());
    try {
      for await (const chunk of from) {
        await this.take((chunk as Buffer).length);
        if (!to.write(chunk)) await new Promise((resolve) => to.once('drain', resolve));
      }
    } catch {
      // Either end may go: the other follows.
    }
    to.destroy();
  }

  /** Debt is paid by waiting: the timer's coarseness evens out, the rate stays true. */
  private async take(bytes: number): Promise<void> {
    const now = performance.now();
    const refilled = this.tokens + ((now - this.at) / 1e3) * this.bytesPerSecond;
    this.at = now;
    this.tokens = Math.min(this.burstBytes, refilled) - bytes;
    if (this.tokens < 0) {
      await new Promise((resolve) => setTimeout(resolve, (-1e3 * this.tokens) / this.bytesPerSecond));
    }
  }
}

describe.skipIf(missing)('a throttled tier', () => {
  let server: ChildProcess | undefined;
  let throttle: Throttle | undefined;
  afterEach(() => {
    throttle?.close();
    server?.kill('SIGKILL');
  });

  async function measureBehind(bytesPerSecond: number, burstBytes: number, sizes: number[]) {
    const args = ['--port', String(PORT), '--bind', '127.0.0.1', '--save', '', '--dir', '/tmp'];
    server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise<void>((resolve) => {
      server!.stdout!.on('data', (data) => /Ready to accept/.test(String(data)) && resolve());
    });
    throttle = new Throttle(bytesPerSecond, burstBytes, PORT);
    const port = await throttle.listen();
    const tier = await redis.measure(
      { name: 'r', kind: 'redis', location: `redis://127.0.0.1:${port}` },
      {
        seconds: 24,
        sizes,
        streams: [1, 2],
        scratchBytes: 8e6,
        seed: 1,
        signal: new AbortController().signal,
        onProgress: () => undefined,
      },
    );
    return tier as typeof tier & { verdict: { reasons: string[] } };
  }

  it('is measured at its true rate within a tenth', async () => {
    // A small bucket: with none at all what a late timer loses is never made up, and the throttle is slower than it says.
    const tier = await measureBehind(25e6, 1e6, [1e6, 2e6, 4e6, 8e6]);
    expect(tier.read.bytesPerSecond / 25e6).toBeGreaterThan(0.9);
    expect(tier.read.bytesPerSecond / 25e6).toBeLessThan(1.1);
  });

  it('is measured past its burst, which is named', async () => {
    const tier = await measureBehind(25e6, 250e6, [5e5, 1e6, 2e6, 4e6]);
    expect(tier.verdict.reasons.join('\n')).toMatch(/a burst of .* fell to/);
    expect(tier.read.bytesPerSecond / 25e6).toBeGreaterThan(0.9);
    expect(tier.read.bytesPerSecond / 25e6).toBeLessThan(1.1);
  });
});
