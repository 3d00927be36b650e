import { isIP } from 'node:net';
import { awsSettings } from '../aws-credentials.js';
import { folderOf, type PlannedTier } from './places.js';

/** What an `--l2-adapter` of LMCache says of where a tier's chunks of one method are stored. */
export function storageOf(tier: PlannedTier, method: string): Record<string, unknown> {
  switch (tier.kind) {
    case 'dram':
      return { type: 'fs_native', base_path: `/dev/shm/evicpress/${method}` };
    case 'redis':
      return redisStorage(tier);
    case 's3': {
      const { region, host, tls } = bucketOf(tier);
      return {
        type: 's3',
        s3_endpoint: host,
        s3_region: region,
        ...(tls ? {} : { disable_tls: true }),
      };
    }
    default:
      return { type: 'fs_native', base_path: `${folderOf(tier)}/${method}`, use_odirect: true };
  }
}

/** What somebody must know or do beside the exported files for a tier to be reached, one sentence each. */
export function storageNotes(tier: PlannedTier): string[] {
  if (tier.kind === 'redis') return redisNotes(tier);
  return tier.kind === 's3' ? s3Notes(tier) : [];
}

interface RedisServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly tls: boolean;
  readonly database: number;
}

function redisServer({ location }: PlannedTier): RedisServer {
  const url = new URL(location ?? 'redis://127.0.0.1:6379');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6379),
    user: decodeURIComponent(url.username),
    tls: url.protocol === 'rediss:',
    database: Number(url.pathname.slice(1) || 0),
  };
}

/** LMCache's own client (`resp`) knows neither TLS nor databases; its client of Valkey's makers knows both. */
function redisStorage(tier: PlannedTier): Record<string, unknown> {
  const { host, port, user, tls, database } = redisServer(tier);
  const username = user === '' ? {} : { username: user };
  if (!needsValkeyClient(tier)) return { type: 'resp', host, port, ...username };
  return {
    type: 'valkey',
    startup_nodes: `${host}:${port}`,
    ...username,
    ...(tls ? { tls_enable: true } : {}),
    ...(database === 0 ? {} : { database_id: database }),
  };
}

function needsValkeyClient(tier: PlannedTier): boolean {
  const { tls, database } = redisServer(tier);
  return tls || database !== 0;
}

function redisNotes(tier: PlannedTier): string[] {
  return [
    `Tier ${tier.name}: a password is taken from LMCACHE_RESP_PASSWORD in the server's environment; it stands in no file.`,
    ...(needsValkeyClient(tier)
      ? [
          `Tier ${tier.name}: LMCache reaches a Redis with TLS or a numbered database by valkey-glide-sync 2.3 or later: install that in the server's environment.`,
        ]
      : []),
  ];
}

/** The bucket by its host name (and port): LMCache knows no other way to name one. */
function bucketOf({ location, endpoint }: PlannedTier) {
  const { region, endpoint: current } = awsSettings();
  const bucket = new URL(location ?? 's3://bucket').hostname;
  // Where the tier was measured comes before where this shell points.
  const url = new URL(endpoint ?? current ?? `https://s3.${region}.amazonaws.com`);
  return {
    prefix: new URL(location ?? 's3://bucket').pathname.replace(/^\/+|\/+$/g, ''),
    host: url.host.startsWith(`${bucket}.`) ? url.host : `${bucket}.${url.host}`,
    region: /(?:^|\.)s3\.([a-z0-9-]+)\.amazonaws\.com$/.exec(url.hostname)?.[1] ?? region,
    tls: url.protocol === 'https:',
    isNamed: isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0,
    isAws: url.hostname.endsWith('.amazonaws.com'),
  };
}

function s3Notes(tier: PlannedTier): string[] {
  const { prefix, host, isNamed, isAws } = bucketOf(tier);
  return [
    ...(tier.location === undefined
      ? [`Tier ${tier.name}: its profile names no bucket; put yours into "s3_endpoint".`]
      : []),
    ...(isNamed
      ? []
      : [
          `Not carried out: tier ${tier.name} as it stands. LMCache asks for a bucket by its host name, and ${host} is none: give the service a name in AWS_ENDPOINT_URL and measure the tier again.`,
        ]),
    ...(isNamed && !isAws
      ? [
          `Tier ${tier.name}: LMCache asks for the bucket as ${host}; that name must lead to the service, and the service must take it (for MinIO, MINIO_DOMAIN).`,
        ]
      : []),
    ...(prefix === ''
      ? []
      : [
          `Not carried out: the prefix ${prefix} of tier ${tier.name}. LMCache stores at the top of the bucket.`,
        ]),
  ];
}
