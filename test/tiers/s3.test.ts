import { createServer, type Server } from 'node:http';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MeasureSettings } from '../../src/tiers/kind.js';
import { s3 } from '../../src/tiers/s3.js';
import { parseS3Url } from '../../src/tiers/s3-client.js';

describe('parseS3Url', () => {
  it('reads bucket and prefix', () => {
    expect(parseS3Url('s3://my-bucket')).toEqual({ bucket: 'my-bucket', prefix: '' });
    expect(parseS3Url('s3://my-bucket/a/b/')).toEqual({ bucket: 'my-bucket', prefix: 'a/b' });
  });

  it.each(['s3://', 's3://UPPER', 'http://x', 's3://a'])('refuses %s', (text) => {
    expect(() => parseS3Url(text)).toThrow(/not an S3 location/);
  });
});

/** As much of S3 as measuring needs, in memory. */
class MemoryS3 {
  readonly objects = new Map<string, Buffer>();
  largestBytes = 0;
  /** Answers instead of the store where it returns a status and a code. */
  refuse: (method: string) => [number, string] | undefined = () => undefined;
  private server: Server | undefined;

  listen(): Promise<string> {
    this.server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const url = new URL(request.url!, 'http://here');
      const key = decodeURIComponent(url.pathname).replace(/^\/bucket\/?/, '');
      const refusal = this.refuse(request.method!);
      if (refusal !== undefined) {
        response.writeHead(refusal[0]).end(`<Error><Code>${refusal[1]}</Code><Message>no</Message></Error>`);
      } else if (!url.pathname.startsWith('/bucket')) {
        response.writeHead(404).end('<Error><Code>NoSuchBucket</Code></Error>');
      } else if (request.method === 'PUT') {
        this.objects.set(key, Buffer.concat(chunks));
        const total = [...this.objects.values()].reduce((sum, body) => sum + body.length, 0);
        this.largestBytes = Math.max(this.largestBytes, total);
        response.end();
      } else if (request.method === 'DELETE') {
        this.objects.delete(key);
        response.writeHead(204).end();
      } else if (url.searchParams.has('list-type')) {
        const prefix = url.searchParams.get('prefix')!;
        const keys = [...this.objects.keys()].filter((one) => one.startsWith(prefix));
        response.end(`<r>${keys.map((one) => `<Key>${one}</Key>`).join('')}</r>`);
      } else {
        const [from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range!)!.slice(1).map(Number);
        response.writeHead(206).end(this.objects.get(key)!.subarray(from!, to! + 1));
      }
    });
    return new Promise((resolve) => {
      this.server!.listen(0, '127.0.0.1', () => {
        resolve(`http://127.0.0.1:${(this.server!.address() as { port: number }).port}`);
      });
    });
  }

  close(): void {
    this.server?.closeAllConnections();
    this.server?.close();
  }
}

describe('s3 tier', () => {
  let store: MemoryS3;
  beforeEach(async () => {
    store = new MemoryS3();
    vi.stubEnv('AWS_ENDPOINT_URL', await store.listen());
    vi.stubEnv('AWS_ENDPOINT_URL_S3', undefined);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'id');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'key');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    store.close();
  });

  const target = { name: 'o', kind: 's3', location: 's3://bucket/kv' };
  const settings = (changes: Partial<MeasureSettings> = {}): MeasureSettings => ({
    seconds: 1,
    sizes: [1e5, 1e6, 12e6],
    streams: [1, 2],
    scratchBytes: 30e6,
    seed: 1,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...changes,
  });

  it('measures within its scratch, and leaves other objects alone', async () => {
    store.objects.set('kv/precious', Buffer.from('yes'));
    const tier = await s3.measure(target, settings());
    expect(tier).toMatchObject({ capacityBytes: null, location: 's3://bucket/kv', scope: 'cluster' });
    expect(tier.samples!.some((sample) => sample.bytes === 12e6)).toBe(true);
    expect([...store.objects.keys()]).toEqual(['kv/precious']);
    expect(store.largestBytes).toBeLessThanOrEqual(30e6 + 3);
  });

  it('removes what a dead run of this machine left', async () => {
    const dead = `kv/evicpress-scratch-${hostname()}-4194305-0a0a0a0a/1000-0`;
    const alive = `kv/evicpress-scratch-${hostname()}-${process.pid}-0a0a0a0a/1000-0`;
    store.objects.set(dead, Buffer.from(''));
    store.objects.set(alive, Buffer.from(''));
    await s3.measure(target, settings());
    expect([...store.objects.keys()]).toEqual([alive]);
  });

  it.each([
    [404, 'NoSuchBucket', /there is no such bucket/],
    [403, 'AccessDenied', /access denied/],
    [403, 'SignatureDoesNotMatch', /secret key does not match/],
    [403, 'SomethingElse', /access denied/],
    [500, 'InternalError', /the service refused \(InternalError: no\)/],
  ])('puts %i %s into words', async (status, code, message) => {
    store.refuse = () => [status, code];
    await expect(s3.measure(target, settings())).rejects.toThrow(message);
  });

  it('leaves nothing behind when the service refuses in the middle', async () => {
    let gets = 0;
    store.refuse = (method) => (method === 'GET' && ++gets > 4 ? [503, 'SlowDown'] : undefined);
    await expect(s3.measure(target, settings())).rejects.toThrow(/asks to slow down/);
    expect([...store.objects.keys()]).toEqual([]);
  });

  it('leaves nothing behind on an interrupt', async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const measuring = s3.measure(target, settings({ seconds: 20, signal: controller.signal, onProgress }));
    await expect(measuring).rejects.toMatchObject({ exitCode: 130 });
    expect([...store.objects.keys()]).toEqual([]);
  });

  it('says so when nobody answers', async () => {
    store.close();
    await expect(s3.measure(target, settings())).rejects.toThrow(/cannot be reached \(ECONNREFUSED\)/);
  });
});
