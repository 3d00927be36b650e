import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { findAwsAccess } from '../aws-credentials.js';
import { EvicpressError } from '../errors.js';
import { isAlive } from '../processes.js';
import { formatBytes } from '../units.js';
import { threadWaitSeconds } from './host.js';
import type { Device, MeasureSettings, TierKind, TierTarget } from './kind.js';
import { measureDevice } from './measure.js';
import type { S3Client } from './s3-client.js';
import { type ObjectStore, ScratchObjects } from './scratch-objects.js';

const MEGABYTE = 1e6;
const SIZES = [1, 4, 16, 64, 256].map((megabytes) => megabytes * MEGABYTE);
const SCRATCH_BYTES = 2 ** 30;
/** An object is read in ranges of this size, so many at once, as the SDKs' transfer managers do it. */
const RANGE_BYTES = 8 * 2 ** 20;
const RANGES_AT_ONCE = 8;
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
  async check(target) {
    const { client, folder } = await connect(target, 1);
    try {
      await client.list(`${folder}${hostname()}-`);
    } finally {
      client.close();
    }
  },
  async measure(target, settings) {
    const openedAt = performance.now();
    return measureDevice(target, await openBucket(target, settings), settings, openedAt);
  },
};

/** A client of the target's bucket, and the prefix of everything that is ours there. @throws EvicpressError */
async function connect(
  { name, location }: TierTarget,
  streams: number,
): Promise<{ client: S3Client; folder: string; location: string }> {
  if (location === undefined) {
    throw new EvicpressError(`Tier ${name}: s3 needs a bucket. Write --tier ${name}=s3://bucket/prefix.`);
  }
  const { parseS3Url, S3Client } = await import('./s3-client.js');
  const { bucket, prefix } = parseS3Url(location);
  const client = new S3Client(findAwsAccess(), bucket, streams * RANGES_AT_ONCE);
  return { client, folder: prefix === '' ? PREFIX : `${prefix}/${PREFIX}`, location };
}

async function openBucket(target: TierTarget, settings: MeasureSettings): Promise<Device> {
  const { client, folder, location } = await connect(target, Math.max(...settings.streams));
  const scratchBytes = settings.scratchBytes ?? SCRATCH_BYTES;
  const least = Math.min(...(settings.sizes ?? SIZES));
  if (scratchBytes < least) {
    throw new EvicpressError(
      `Tier ${target.name}: the smallest object of ${formatBytes(least)} does not fit --scratch ${formatBytes(scratchBytes)}. Raise it, or measure smaller --sizes.`,
    );
  }
  try {
    await removeLeftovers(client, folder);
  } catch (error) {
    client.close();
    throw error;
  }
  const run = `${folder}${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  const objects = new ScratchObjects(new S3Store(client), run, '/', scratchBytes, settings.signal);
  return {
    location,
    tool: `aws4fetch over HTTP, Node ${process.version}`,
    scope: 'cluster',
    capacityBytes: null,
    capacityRule: 'a bucket has no limit of its own',
    sizes: SIZES,
    largestWaveBytes: scratchBytes,
    // Writing first makes what reading reads.
    directions: ['write', 'read'],
    waitSeconds: threadWaitSeconds,
    remarks: [],
    details: { endpoint: client.endpoint, scratchBytes },
    run: (wave) => objects.run(wave),
    async close() {
      await objects.removeAll().catch(() => undefined);
      client.close();
    },
  };
}

/** Objects put whole and read in ranges, several at once. */
class S3Store implements ObjectStore {
  constructor(private readonly client: S3Client) {}

  put(key: string, body: Buffer): Promise<void> {
    return this.client.put(key, body);
  }

  async get(key: string, bytes: number): Promise<void> {
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

  async remove(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.client.delete(key)));
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
