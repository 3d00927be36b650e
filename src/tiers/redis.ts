import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { EvicpressError, NotMeasurableError } from '../errors.js';
import { isAlive } from '../processes.js';
import { formatBytes } from '../units.js';
import { processName, threadWaitSeconds } from './host.js';
import type { Device, MeasureSettings, TierKind, TierTarget } from './kind.js';
import { measureDevice } from './measure.js';
import { parseRedisUrl, RedisClient, type RedisTarget } from './redis-client.js';
import { type ObjectStore, ScratchObjects } from './scratch-objects.js';

const MEGABYTE = 1e6;
const SIZES = [1, 4, 16, 64, 256].map((megabytes) => megabytes * MEGABYTE);
/** A Redis value cannot be larger (proto-max-bulk-len). */
const LARGEST_VALUE_BYTES = 512 * 2 ** 20;
const SCRATCH_BYTES = 2 ** 30;
/** Share of a server's free room that test data takes at most. */
const MOST_SHARE_OF_ROOM = 0.25;
/** Share of a server's free room that a KV cache is taken to get, unless told otherwise. */
const CAPACITY_SHARE = 0.5;
/** The server forgets test data by itself this long after the measuring time, whatever becomes of us. */
const KEEP_SECONDS = 600;
/** The set of all keys of test data, so that the next run finds what a dead one left. */
const KEYS_KEY = 'evicpress:scratch';

/**
 * Redis or Valkey, alone or as a cluster: values are set and got whole over one connection per stream. Only keys
 * that begin with `evicpress:scratch` are touched.
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
  async check(target) {
    const client = new RedisClient(addressOf(target));
    try {
      await readServer(client);
    } finally {
      client.close();
    }
  },
  async measure(target, settings) {
    const openedAt = performance.now();
    return measureDevice(target, await openServer(target, settings), settings, openedAt);
  },
};

function addressOf({ name, location }: TierTarget): RedisTarget {
  if (location !== undefined) return parseRedisUrl(location);
  throw new EvicpressError(
    `Tier ${name}: redis needs an address. Write --tier ${name}=redis://127.0.0.1:6379.`,
  );
}

async function openServer(target: TierTarget, settings: MeasureSettings): Promise<Device> {
  const address = addressOf(target);
  const clients: RedisClient[] = [];
  const client = (stream: number) => (clients[stream] ??= new RedisClient(address));
  try {
    const server = await readServer(client(0));
    const scratchBytes = scratchOn(target.name, server, settings);
    const store = new RedisStore(client, KEEP_SECONDS + Math.ceil(settings.seconds));
    await store.removeLeftovers();
    const run = `${KEYS_KEY}:${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
    const values = new ScratchObjects(store, run, ':', scratchBytes, settings.signal);
    return {
      location: address.shown,
      tool: `RESP over ${address.tls ? 'TLS' : 'TCP'}, Node ${process.version}`,
      scope: 'cluster',
      capacityBytes: server.roomBytes === null ? null : CAPACITY_SHARE * server.roomBytes,
      capacityRule: `${CAPACITY_SHARE} of the server's free room when measured`,
      sizes: SIZES,
      largestWaveBytes: Math.min(scratchBytes, LARGEST_VALUE_BYTES * Math.max(...settings.streams)),
      // Writing first makes what reading reads.
      directions: ['write', 'read'],
      waitSeconds: () =>
        threadWaitSeconds() + (server.localProcess ? threadWaitSeconds(server.localProcess) : 0),
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
  /** Its process, where it runs on this machine: it may wait for a processor too. */
  readonly localProcess?: number;
  /** null: the server does not say. */
  readonly roomBytes: number | null;
}

async function readServer(client: RedisClient): Promise<Server> {
  const info = String(await client.ask('INFO'));
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const valkey = field('valkey_version');
  const limit = Number(field('maxmemory') ?? 0) || Number(field('total_system_memory') ?? 0);
  const used = Number(field('used_memory') ?? 0);
  const process = Number(field('process_id') ?? 0);
  // The same number may be another process where the server is on another machine.
  const local = /^(localhost|127\.|::1$)/.test(client.host) && /redis|valkey/.test(processName(process));
  return {
    name: valkey === undefined ? `redis ${field('redis_version') ?? ''}`.trim() : `valkey ${valkey}`,
    ...(local ? { localProcess: process } : {}),
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

/** Values under keys of their own; each key is entered in a list on the server before it is made. */
class RedisStore implements ObjectStore {
  private readonly entered = new Set<string>();

  constructor(
    private readonly client: (stream: number) => RedisClient,
    private readonly keepSeconds: number,
  ) {}

  async put(key: string, body: Buffer, stream: number): Promise<void> {
    if (!this.entered.has(key)) {
      await this.client(stream).at(KEYS_KEY, 'SADD', KEYS_KEY, key);
      this.entered.add(key);
    }
    await this.client(stream).at(key, 'SET', key, body, 'EX', String(this.keepSeconds));
  }

  async get(key: string, bytes: number, stream: number): Promise<void> {
    const value = await this.client(stream).at(key, 'GET', key);
    if (!Buffer.isBuffer(value) || value.length !== bytes) {
      throw new EvicpressError(
        'The Redis server lost test data while it was measured: it evicts keys, or somebody else deleted them. Measure with a smaller --scratch.',
      );
    }
  }

  /** One key a time: in a cluster they live apart. */
  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      await this.client(0).at(key, 'UNLINK', key);
      await this.client(0).at(KEYS_KEY, 'SREM', KEYS_KEY, key);
      this.entered.delete(key);
    }
  }

  /** Removes what runs of this machine left that are no longer alive. */
  async removeLeftovers(): Promise<void> {
    const keys = await this.client(0).at(KEYS_KEY, 'SMEMBERS', KEYS_KEY);
    const dead = (Array.isArray(keys) ? keys.map(String) : []).filter((key) => {
      const [host, pid] = key.slice(KEYS_KEY.length + 1).split(':');
      return key.startsWith(`${KEYS_KEY}:`) && host === hostname() && !isAlive(Number(pid));
    });
    await this.remove(dead);
  }
}
