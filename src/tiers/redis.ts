import { randomBytes, randomFillSync } from 'node:crypto';
import { hostname } from 'node:os';
import { EvicpressError, NotMeasurableError } from '../errors.js';
import { formatBytes } from '../units.js';
import type { Device, MeasureSettings, TierKind, TierTarget, Wave } from './kind.js';
import { measureDevice } from './measure.js';
import { isAlive } from './process.js';
import { parseRedisUrl, RedisClient } from './redis-client.js';

const MEGABYTE = 1e6;
const SIZES = [1, 4, 16, 64, 256].map((megabytes) => megabytes * MEGABYTE);
/** A Redis value cannot be larger (proto-max-bulk-len). */
const LARGEST_VALUE_BYTES = 512 * 2 ** 20;
const SCRATCH_BYTES = 2 ** 30;
/** Share of a server's free room that test data takes at most. */
const MOST_SHARE_OF_ROOM = 0.25;
/** Share of a server's free room that a KV cache is taken to get, unless told otherwise. */
const CAPACITY_SHARE = 0.5;
/** Values are read in turn from about this much, so that a processor's cache cannot hold them. */
const ROTATION_BYTES = 128 * MEGABYTE;
/** The server forgets test data by itself after this long, whatever becomes of us. */
const KEEP_SECONDS = 600;
/** The set in which runs enter themselves, so that the next one finds what a dead one left. */
const RUNS_KEY = 'evicpress:scratch';

/**
 * Redis or Valkey, alone or as a cluster: values are set and got whole over one connection per stream. Only keys
 * below `evicpress:scratch` are touched.
 */
export const redis: TierKind = {
  name: 'redis',
  summary: 'Redis or Valkey: redis://host:6379, rediss:// for TLS, password from REDISCLI_AUTH',
  async detect() {
    const url = process.env.REDIS_URL;
    if (url === undefined) return [];
    const { shown } = parseRedisUrl(url);
    return [{ target: { name: 'redis', kind: 'redis', location: shown }, note: 'from REDIS_URL' }];
  },
  async measure(target, settings) {
    const openedAt = performance.now();
    return measureDevice(target, await openServer(target, settings), settings, openedAt);
  },
};

async function openServer(target: TierTarget, settings: MeasureSettings): Promise<Device> {
  if (target.location === undefined) {
    throw new EvicpressError(
      `Tier ${target.name}: redis needs an address. Write --tier ${target.name}=redis://127.0.0.1:6379.`,
    );
  }
  const address = parseRedisUrl(target.location);
  const clients: RedisClient[] = [];
  const client = (stream: number) => (clients[stream] ??= new RedisClient(address));
  try {
    const server = await readServer(client(0));
    const scratchBytes = scratchOn(target.name, server, settings);
    await removeLeftovers(client(0));
    const values = await TestValues.enter(client, scratchBytes, settings.signal);
    return {
      location: address.shown,
      tool: `RESP over ${address.tls ? 'TLS' : 'TCP'}, Node ${process.version}`,
      scope: 'cluster',
      capacityBytes: server.roomBytes === null ? null : CAPACITY_SHARE * server.roomBytes,
      capacityRule: `${CAPACITY_SHARE} of the server's free room when measured`,
      sizes: SIZES,
      largestWaveBytes: Math.min(scratchBytes, LARGEST_VALUE_BYTES * Math.max(...settings.streams)),
      directions: ['read', 'write'],
      overheadSeconds: 0.15,
      cpuBound: true,
      remarks: [],
      details: { server: server.name, scratchBytes },
      run: (wave) => values.run(wave),
      async close() {
        await values.removeAll().catch(() => undefined);
        for (const one of clients) one.close();
      },
    };
  } catch (error) {
    for (const one of clients) one.close();
    throw error;
  }
}

interface Server {
  /** `redis 7.0.15`, `valkey 8.0.1`. */
  readonly name: string;
  /** null: the server does not say. */
  readonly roomBytes: number | null;
}

async function readServer(client: RedisClient): Promise<Server> {
  const info = String(await client.ask('INFO'));
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const valkey = field('valkey_version');
  const limit = Number(field('maxmemory') ?? 0) || Number(field('total_system_memory') ?? 0);
  const used = Number(field('used_memory') ?? 0);
  return {
    name: valkey === undefined ? `redis ${field('redis_version') ?? ''}`.trim() : `valkey ${valkey}`,
    roomBytes: limit === 0 ? null : Math.max(0, limit - used),
  };
}

/** Room for test data that makes the server evict nobody's keys. @throws EvicpressError */
function scratchOn(tier: string, { roomBytes }: Server, settings: MeasureSettings): number {
  const allowed = roomBytes === null ? SCRATCH_BYTES : MOST_SHARE_OF_ROOM * roomBytes;
  const wanted = settings.scratchBytes ?? Math.min(SCRATCH_BYTES, allowed);
  const least = Math.min(...(settings.sizes ?? SIZES));
  if (wanted > allowed || wanted < least) {
    throw new NotMeasurableError(
      `Tier ${tier}: measuring takes at least ${formatBytes(Math.max(least, settings.scratchBytes ?? 0))} of the server's memory, and may take ${formatBytes(allowed)} of what is free there. Free some, or set --scratch.`,
    );
  }
  return wanted;
}

/** The keys of one run: enough values of the size at hand to read in turn. */
class TestValues {
  private bytes = 0;
  private count = 0;
  private next = 0;
  private payload: Buffer = Buffer.alloc(0);

  private constructor(
    private readonly client: (stream: number) => RedisClient,
    private readonly scratchBytes: number,
    private readonly name: string,
    private readonly signal: AbortSignal,
  ) {}

  /** Enters a new run in the list of runs. */
  static async enter(
    client: (stream: number) => RedisClient,
    scratchBytes: number,
    signal: AbortSignal,
  ): Promise<TestValues> {
    const run = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
    await client(0).at(RUNS_KEY, 'SADD', RUNS_KEY, run);
    return new TestValues(client, scratchBytes, run, signal);
  }

  async run({ direction, bytes, streams, seconds }: Wave): Promise<number[]> {
    await this.prepare(bytes, streams);
    const waves: number[] = [];
    const endsAt = performance.now() + 1e3 * seconds;
    do {
      const keys = Array.from({ length: streams }, (_, i) => keyOf(this.name, (this.next + i) % this.count));
      this.next = (this.next + streams) % this.count;
      const startedAt = performance.now();
      await Promise.all(
        keys.map((key, stream) => (direction === 'read' ? this.get(stream, key) : this.set(stream, key))),
      );
      waves.push((performance.now() - startedAt) / 1e3);
    } while (performance.now() < endsAt && !this.signal.aborted);
    return waves;
  }

  /** Takes this run's keys, and its entry, off the server. */
  async removeAll(): Promise<void> {
    const { count } = this;
    this.count = 0;
    this.bytes = 0;
    await removeRun(this.client(0), this.name, count);
  }

  private async prepare(bytes: number, streams: number): Promise<void> {
    const wanted = Math.max(streams, Math.floor(Math.min(ROTATION_BYTES, this.scratchBytes) / bytes));
    if (bytes === this.bytes && this.count >= wanted) return;
    if (bytes !== this.bytes) {
      const { count } = this;
      this.count = 0;
      await unlinkValues(this.client(0), this.name, count);
      this.payload = randomFillSync(Buffer.allocUnsafe(bytes));
      this.bytes = bytes;
    }
    while (this.count < wanted && (this.count < streams || !this.signal.aborted)) {
      this.count++;
      await this.set(0, keyOf(this.name, this.count - 1));
    }
  }

  private async set(stream: number, key: string): Promise<void> {
    await this.client(stream).at(key, 'SET', key, this.payload, 'EX', String(KEEP_SECONDS));
  }

  private async get(stream: number, key: string): Promise<void> {
    const value = await this.client(stream).at(key, 'GET', key);
    if (!Buffer.isBuffer(value) || value.length !== this.bytes) {
      throw new EvicpressError(
        'The Redis server lost test data while it was measured: it evicts keys, or somebody else deleted them. Measure with a smaller --scratch.',
      );
    }
  }
}

function keyOf(run: string, index: number): string {
  return `${RUNS_KEY}:${run}:${index}`;
}

/** Most values one run can have: those of the smallest size that is measured. */
const MOST_VALUES = 4096;

/** Removes what runs of this machine left that are no longer alive. */
async function removeLeftovers(client: RedisClient): Promise<void> {
  const runs = await client.at(RUNS_KEY, 'SMEMBERS', RUNS_KEY);
  for (const entry of Array.isArray(runs) ? runs : []) {
    const run = String(entry);
    const [host, pid] = run.split(':');
    if (host === hostname() && !isAlive(Number(pid))) await removeRun(client, run, MOST_VALUES);
  }
}

async function removeRun(client: RedisClient, run: string, count: number): Promise<void> {
  await unlinkValues(client, run, count);
  await client.at(RUNS_KEY, 'SREM', RUNS_KEY, run);
}

/** One key a time: in a cluster they live apart. */
async function unlinkValues(client: RedisClient, run: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const removed = await client.at(keyOf(run, i), 'UNLINK', keyOf(run, i));
    // Values are numbered without gaps: the first one missing ends what a dead run left.
    if (removed === 0) break;
  }
}
