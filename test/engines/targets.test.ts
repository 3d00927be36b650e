import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { carriedOut } from '../../src/engines/carried-out.js';
import { engineCapabilities, engines } from '../../src/engines/index.js';
import type { Tier } from '../../src/formats/tiers.js';
import { handPlan, rowAt } from './plans.js';

const read = { latencySeconds: 0, bytesPerSecond: 1e9 };
const TIERS: readonly Tier[] = [
  { name: 'dram', kind: 'dram', capacityBytes: 80e9, reservedBytes: 8e9, read },
  { name: 'nvme', kind: 'file', location: '/mnt/nvme', capacityBytes: 800e9, read },
];
const SETTING = { tiers: TIERS, planPath: '/srv/plan.ndjson', ranks: 2, modelPath: 'meta/model' };
const plan = handPlan(7, [
  rowAt('a', 'dram', 'none', 40e9),
  rowAt('b', 'dram', 'int8', 16e9),
  rowAt('c', 'nvme', 'none', 100e9),
  rowAt('d', 'recompute', 'none', 0),
]);

const textOf = (name: string, given = plan) =>
  engines
    .find((engine) => engine.name === name)!
    .files(given, SETTING)
    .map((file) => file.text)
    .join('\n');

describe.each(engines.map((engine) => [engine.name, engine] as const))('%s', (name, engine) => {
  it('declares capabilities, notes and the version its names were checked against', () => {
    const { tierKinds, notes, perContext } = engineCapabilities(name);
    expect(tierKinds.length).toBeGreaterThan(0);
    expect(notes.length).toBeGreaterThan(0);
    expect(typeof perContext).toBe('boolean');
    expect(engine.checkedAgainst).toMatch(/\d|llama/);
  });

  it('writes files inside their folder, the same for the same plan', () => {
    const files = engine.files(plan, SETTING);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(file.path).not.toMatch(/^\/|\.\./);
      expect(file.text.endsWith('\n')).toBe(true);
    }
    expect(engine.files(plan, SETTING)).toEqual(files);
  });

  it('counts what it can carry out, never more than there is', () => {
    const verdict = carriedOut(plan, engine, TIERS);
    expect(verdict.contexts).toBe(3);
    const blocked = verdict.obstacles.reduce((sum, entry) => sum + entry.contexts, 0);
    expect(verdict.possible + blocked).toBe(3);
  });

  it('has nothing to do for a plan that keeps nothing', () => {
    const verdict = carriedOut(handPlan(1, [rowAt('a', 'recompute', 'none', 0)]), engine, TIERS);
    expect(verdict).toMatchObject({ contexts: 0, possible: 0, shareOfAccesses: 1, obstacles: [] });
  });
});

it('gives files a folder of their own where none was measured, the same for every engine', () => {
  const anywhere = TIERS.map(({ location: _, ...tier }) => tier);
  for (const engine of engines) {
    const [{ text } = { text: '' }] = engine.files(plan, { ...SETTING, tiers: anywhere });
    expect(text, engine.name).toContain('/var/cache/evicpress/nvme');
  }
});

it('says that Dynamo is given more disk than was planned, where memory is larger', () => {
  const dynamo = engines.find((engine) => engine.name === 'dynamo')!;
  expect(dynamo.warnings!(plan, SETTING)).toEqual([]);
  const small = handPlan(1, [rowAt('a', 'dram', 'none', 40e9), rowAt('b', 'nvme', 'none', 1e9)]);
  small.header.tiers[1]!.capacityBytes = 20e9;
  expect(dynamo.warnings!(small, SETTING)).toEqual([
    expect.stringContaining('it is given 75 GB, more than the 18 GB that nvme has'),
  ]);
});

describe('room for loads in LMCache’s L1', () => {
  const lmcache = engines.find((engine) => engine.name === 'lmcache')!;
  const half = (context: string, tier: string, storedBytes: number) => ({
    ...rowAt(context, tier, 'int8', storedBytes),
    compressionRatio: 0.5,
  });

  it('is said to be short where the largest context does not fit whole and compressed', () => {
    const short = handPlan(1, [rowAt('a', 'dram', 'none', 40e9), half('b', 'nvme', 3e9)]);
    const [warning] = lmcache.warnings!(short, SETTING);
    expect(warning).toContain('"reservedBytes": 9000000000');
    expect(warning).toContain('leaves 8.00 GB');
    const enough = handPlan(1, [rowAt('a', 'dram', 'none', 40e9), half('b', 'nvme', 2e9)]);
    expect(lmcache.warnings!(enough, SETTING)).toEqual([]);
  });

  it('is short too where nothing is reserved and the plan fills memory', () => {
    const tiers = TIERS.map(({ reservedBytes: _, ...tier }) => tier);
    const full = handPlan(1, [rowAt('a', 'dram', 'none', 79e9), rowAt('b', 'nvme', 'none', 2e9)]);
    const [warning] = lmcache.warnings!(full, { ...SETTING, tiers });
    expect(warning).toContain('leaves 1.00 GB; the largest context that is loaded takes 2.00 GB');
    // A fifth of L1, where nothing is said.
    expect(warning).toContain('"reservedBytes": 16000000000');
    const alone = handPlan(1, [rowAt('a', 'dram', 'none', 79e9)]);
    expect(lmcache.warnings!(alone, { ...SETTING, tiers })[0]).toContain('16.0 GB are kept free for it');
    const half = handPlan(1, [rowAt('a', 'dram', 'none', 40e9), rowAt('b', 'nvme', 'none', 2e9)]);
    expect(lmcache.warnings!(half, { ...SETTING, tiers })).toEqual([]);
  });

  it('is counted for a context with all it continues, also in a plan that goes in circles', () => {
    const after = (context: string, parent: string) => ({ ...rowAt(context, 'nvme', 'none', 3e9), parent });
    const chain = handPlan(1, [after('c', 'b'), after('b', 'a'), rowAt('a', 'nvme', 'none', 3e9)]);
    expect(lmcache.warnings!(chain, SETTING)[0]).toContain('"reservedBytes": 9000000000');
    const circle = handPlan(1, [after('c', 'b'), after('b', 'c')]);
    expect(lmcache.warnings!(circle, SETTING)).toEqual([]);
  });
});

describe('units and scopes', () => {
  it('lmcache: L1 is memory less its compressed part, in GiB, with room for staging', () => {
    // 80 GB planned + 8 GB reserved − 16 GB compressed = 72 GB = 67.055 GiB, of which 8/72 stay free.
    expect(textOf('lmcache')).toContain('--l1-size-gb 67.055');
    expect(textOf('lmcache')).toContain('--staging-share 0.111');
    expect(textOf('lmcache')).toContain('"base_path":"/mnt/nvme/int8"');
    expect(textOf('lmcache')).toContain('"base_path":"/dev/shm/evicpress/int8"');
    expect(textOf('lmcache')).not.toContain('/dev/shm/evicpress/none');
  });

  it('vllm: GiB over all ranks without files, bytes with them', () => {
    const memoryOnly = handPlan(1, [rowAt('a', 'dram', 'none', 40e9)]);
    expect(textOf('vllm', memoryOnly)).toContain('--kv-offloading-size 74.505');
    expect(textOf('vllm')).toContain('"cpu_bytes_to_use":80000000000');
    expect(textOf('vllm')).toContain('--tensor-parallel-size 2');
  });

  it('sglang: GB per rank', () => {
    expect(textOf('sglang')).toContain('--hicache-size 40');
  });

  it('dynamo: whole GiB, disk larger than memory', () => {
    expect(textOf('dynamo')).toContain('DYN_KVBM_CPU_CACHE_GB=74');
    expect(textOf('dynamo')).toContain('DYN_KVBM_DISK_CACHE_GB=745');
  });

  it('llamacpp: MiB', () => {
    expect(textOf('llamacpp')).toContain('--cache-ram 76293');
  });
});

describe('a cache type for the whole instance', () => {
  it('is set only where every kept context has that method', () => {
    const all = handPlan(1, [rowAt('a', 'dram', 'int8', 1e9), rowAt('b', 'nvme', 'int8', 1e9)]);
    expect(textOf('vllm', all)).toContain('--kv-cache-dtype int8_per_token_head');
    expect(textOf('llamacpp', all)).toContain('--cache-type-k q8_0');
    expect(textOf('vllm')).not.toContain('--kv-cache-dtype');
    expect(textOf('llamacpp')).not.toContain('--cache-type-k');
  });
});

describe('what is not carried out', () => {
  it('costs the utility of keeping it over recomputing it', () => {
    const model = {
      name: 'm',
      kvBytesPerToken: 1e6,
      prefill: { secondsPerToken: 1e-3, secondsPerTokenSquared: 0 },
    };
    // 1e9 bytes after removing half are 2,000 tokens: prefill 2 s. accesses 10 · (1·(0.9 − 1) − 0.5 + 2) = 14.
    const row = {
      ...rowAt('a', 'dram', 'keydiff', 1e9),
      compressionRatio: 0.5,
      quality: 0.9,
      ttftSeconds: 0.5,
      accesses: 10,
    };
    const verdict = carriedOut(handPlan(1, [row]), engines[0]!, TIERS, model);
    expect(verdict.utilityLost).toBeCloseTo(14, 9);
    expect(verdict.obstacles).toEqual([{ what: 'no keydiff', contexts: 1 }]);
  });
});

describe('words for a shell', () => {
  it('are quoted, whatever a location contains', () => {
    const tiers = [{ ...TIERS[0]! }, { ...TIERS[1]!, location: "/mnt/it's; rm -rf $HOME" }];
    const lmcache = engines[0]!.files(plan, { ...SETTING, tiers })[0]!.text;
    expect(lmcache).toContain(`/mnt/it'\\''s; rm -rf $HOME`);
    const sglang = engines.find((e) => e.name === 'sglang')!.files(plan, { ...SETTING, tiers })[0]!.text;
    expect(sglang).toContain(`='/mnt/it'\\''s; rm -rf $HOME'`);
  });
});

describe('where LMCache finds a Redis server or a bucket', () => {
  const lmcache = engines.find((engine) => engine.name === 'lmcache')!;
  const remote = (kind: string, location: string, more: object = {}) => {
    const setting = { ...SETTING, tiers: [TIERS[0]!, { ...TIERS[1]!, kind, location, ...more }] };
    const given = handPlan(1, [rowAt('a', 'dram', 'none', 1e9), rowAt('b', 'nvme', 'int8', 1e9)]);
    given.header.tiers[1]!.kind = kind;
    const text = lmcache.files(given, setting)[0]!.text;
    const specs = [...text.matchAll(/--l2-adapter '(.*)'/g)]
      .map(([, json]) => JSON.parse(json!) as { readonly type: string })
      .filter(({ type }) => type !== 'fs_native');
    return { specs, notes: lmcache.warnings!(given, setting) };
  };
  const measuredAt = (endpoint: string) => remote('s3', 's3://kv', { details: { endpoint } });

  beforeEach(() => {
    for (const name of ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_REGION']) vi.stubEnv(name, undefined);
    vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
  });
  afterEach(() => vi.unstubAllEnvs());

  it('is its own client for a plain server, with the user and without the password', () => {
    const { specs, notes } = remote('redis', 'redis://kv@[::1]:7000');
    expect(specs[0]).toMatchObject({ type: 'resp', host: '::1', port: 7000, username: 'kv' });
    expect(notes).toEqual([expect.stringContaining('LMCACHE_RESP_PASSWORD')]);
  });

  it('is the client that knows TLS and databases where there are some, and that is said', () => {
    const { specs, notes } = remote('redis', 'rediss://cache.example:6380/3');
    expect(specs[0]).toMatchObject({
      type: 'valkey',
      startup_nodes: 'cache.example:6380',
      tls_enable: true,
      database_id: 3,
    });
    expect(notes).toContainEqual(expect.stringContaining('valkey-glide-sync'));
  });

  it('is AWS in the region where nothing else is said', () => {
    vi.stubEnv('AWS_REGION', 'eu-west-1');
    const { specs, notes } = remote('s3', 's3://kv');
    expect(specs[0]).toMatchObject({ s3_endpoint: 'kv.s3.eu-west-1.amazonaws.com', s3_region: 'eu-west-1' });
    expect(notes).toEqual([]);
  });

  it('is the endpoint of the AWS tools, and before it the one the tier was measured at', () => {
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://minio:9000');
    const { specs, notes } = remote('s3', 's3://kv/below/this');
    expect(specs[0]).toMatchObject({ s3_endpoint: 'kv.minio:9000', disable_tls: true });
    expect(notes).toEqual([
      expect.stringContaining('asks for the bucket as kv.minio:9000'),
      expect.stringContaining('Not carried out: the prefix below/this'),
    ]);
    const elsewhere = measuredAt('https://store.example').specs[0];
    expect(elsewhere).toMatchObject({ s3_endpoint: 'kv.store.example' });
    expect(elsewhere).not.toHaveProperty('disable_tls');
    expect(measuredAt('https://kv.s3.us-west-2.amazonaws.com').specs[0]).toMatchObject({
      s3_endpoint: 'kv.s3.us-west-2.amazonaws.com',
      s3_region: 'us-west-2',
    });
  });

  it('is no IP address: LMCache asks for a bucket by its host name', () => {
    expect(measuredAt('http://10.0.0.5:9000').notes).toEqual([
      expect.stringContaining('Not carried out: tier nvme'),
    ]);
  });
});
