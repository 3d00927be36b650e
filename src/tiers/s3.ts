import { randomBytes, randomFillSync } from 'node:crypto';
import { hostname } from 'node:os';
import { EvicpressError } from '../errors.js';
import { formatBytes } from '../units.js';
import { findAwsAccess } from './aws-credentials.js';
import type { Device, MeasureSettings, TierKind, TierTarget, Wave } from './kind.js';
import { measureDevice } from './measure.js';
import { isAlive } from './process.js';
import type { S3Client } from './s3-client.js';

const MEGABYTE = 1e6;
const SIZES = [1, 4, 16, 64, 256].map((megabytes) => megabytes * MEGABYTE);
const SCRATCH_BYTES = 2 ** 30;
/** An object is read in ranges of this size, so many at once, as the SDKs' transfer managers do it. */
const RANGE_BYTES = 8 * 2 ** 20;
const RANGES_AT_ONCE = 8;
/** Objects of one size that are read in turn, as far as scratch goes: a service caches what is hot. */
const ROTATION = 4;
const PREFIX = 'evicpress-scratch-';

/**
 * A bucket of any S3-compatible service: objects are put whole and read in parallel ranges. Only keys below
 * `<prefix>/evicpress-scratch-…` are touched.
 */
export const s3: TierKind = {
  name: 's3',
  summary: 'a bucket: s3://bucket/prefix, credentials and AWS_ENDPOINT_URL as for the AWS tools',
  async detect() {
    const endpoint = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
    const bucket = process.env.S3_BUCKET;
    if (endpoint === undefined || bucket === undefined) return [];
    return [
      { target: { name: 's3', kind: 's3', location: `s3://${bucket}` }, note: `at ${endpoint}, S3_BUCKET` },
    ];
  },
  async measure(target, settings) {
    const openedAt = performance.now();
    return measureDevice(target, await openBucket(target, settings), settings, openedAt);
  },
};

async function openBucket(target: TierTarget, settings: MeasureSettings): Promise<Device> {
  if (target.location === undefined) {
    throw new EvicpressError(
      `Tier ${target.name}: s3 needs a bucket. Write --tier ${target.name}=s3://bucket/prefix.`,
    );
  }
  const { parseS3Url, S3Client } = await import('./s3-client.js');
  const { bucket, prefix } = parseS3Url(target.location);
  const client = new S3Client(findAwsAccess(), bucket, Math.max(...settings.streams) * RANGES_AT_ONCE);
  const scratchBytes = settings.scratchBytes ?? SCRATCH_BYTES;
  const least = Math.min(...(settings.sizes ?? SIZES));
  if (scratchBytes < least) {
    throw new EvicpressError(
      `Tier ${target.name}: the smallest object of ${formatBytes(least)} does not fit --scratch ${formatBytes(scratchBytes)}. Raise it, or measure smaller --sizes.`,
    );
  }
  const folder = prefix === '' ? PREFIX : `${prefix}/${PREFIX}`;
  try {
    await removeLeftovers(client, folder);
  } catch (error) {
    client.close();
    throw error;
  }
  const run = `${folder}${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  const objects = new TestObjects(client, run, scratchBytes, settings.signal);
  return {
    location: target.location,
    tool: `aws4fetch over HTTP, Node ${process.version}`,
    scope: 'cluster',
    capacityBytes: null,
    capacityRule: 'a bucket has no limit of its own',
    sizes: SIZES,
    largestWaveBytes: scratchBytes,
    directions: ['read', 'write'],
    overheadSeconds: 0.1,
    cpuBound: true,
    remarks: [],
    details: { endpoint: client.endpoint, scratchBytes },
    run: (wave) => objects.run(wave),
    async close() {
      await objects.removeAll().catch(() => undefined);
      client.close();
    },
  };
}

/** The objects of one run; those of the largest sizes give way when the scratch is used up. */
class TestObjects {
  /** Bytes of each object by its key; Map keeps the order in which they were written. */
  private readonly written = new Map<string, number>();
  private next = 0;

  constructor(
    private readonly client: S3Client,
    private readonly name: string,
    private readonly scratchBytes: number,
    private readonly signal: AbortSignal,
  ) {}

  async run({ direction, bytes, streams, seconds }: Wave): Promise<number[]> {
    const body = randomFillSync(Buffer.allocUnsafe(bytes));
    const count = Math.max(streams, Math.min(ROTATION, Math.floor(this.scratchBytes / bytes)));
    const keys = Array.from({ length: count }, (_, i) => `${this.name}/${bytes}-${i}`);
    await this.makeRoom(keys, bytes);
    if (direction === 'read') {
      for (const key of keys) if (!this.written.has(key)) await this.put(key, body);
    }
    const waves: number[] = [];
    const endsAt = performance.now() + 1e3 * seconds;
    do {
      const turn = Array.from({ length: streams }, (_, i) => keys[(this.next + i) % count]!);
      this.next = (this.next + streams) % count;
      const startedAt = performance.now();
      await Promise.all(
        turn.map((key) => (direction === 'read' ? this.get(key, bytes) : this.put(key, body))),
      );
      waves.push((performance.now() - startedAt) / 1e3);
    } while (performance.now() < endsAt && !this.signal.aborted);
    return waves;
  }

  async removeAll(): Promise<void> {
    await this.remove([...this.written.keys()]);
  }

  /** Removes other sizes until the objects asked for fit beside what is left. */
  private async makeRoom(keys: readonly string[], bytes: number): Promise<void> {
    let used = keys.length * bytes;
    for (const [key, size] of this.written) if (!keys.includes(key)) used += size;
    const victims: string[] = [];
    for (const [key, size] of this.written) {
      if (used <= this.scratchBytes) break;
      if (keys.includes(key)) continue;
      victims.push(key);
      used -= size;
    }
    await this.remove(victims);
  }

  private async remove(keys: readonly string[]): Promise<void> {
    await Promise.all(
      keys.map(async (key) => {
        await this.client.delete(key);
        this.written.delete(key);
      }),
    );
  }

  private async put(key: string, body: Buffer): Promise<void> {
    // Entered first: an object that was half put is removed all the same.
    this.written.set(key, body.length);
    await this.client.put(key, body);
  }

  /** Reads an object in ranges, several at once. */
  private async get(key: string, bytes: number): Promise<void> {
    let next = 0;
    const lane = async () => {
      for (let from = next; from < bytes; from = next) {
        next = from + RANGE_BYTES;
        const wanted = Math.min(RANGE_BYTES, bytes - from);
        const got = await this.client.getRange(key, from, wanted);
        if (got !== wanted) {
          throw new EvicpressError(
            `The S3 service at ${this.client.endpoint} sent ${got} of ${wanted} bytes. Is the service whole? Measure again.`,
          );
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(RANGES_AT_ONCE, Math.ceil(bytes / RANGE_BYTES)) }, lane));
  }
}

/** Removes objects of runs on this machine that are no longer alive; this is also the first word with the bucket. */
async function removeLeftovers(client: S3Client, folder: string): Promise<void> {
  const own = `${folder}${hostname()}-`;
  for (const key of await client.list(own)) {
    const pid = Number(/^(\d+)-/.exec(key.slice(own.length))?.[1]);
    if (!isAlive(pid)) await client.delete(key);
  }
}
