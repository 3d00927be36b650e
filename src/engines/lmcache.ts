import { isAbsolute } from 'node:path';
import { RECOMPUTE, UNCOMPRESSED } from '../formats/names.js';
import type { Placement, Plan } from '../formats/plan.js';
import { shellWord } from '../shell-word.js';
import { formatBytes } from '../units.js';
import { LMCACHE_CHUNK_TOKENS } from './chunk-hashes.js';
import type { EngineTarget, ExportSetting } from './engine.js';
import { storageNotes, storageOf } from './lmcache-storage.js';
import {
  budgetBytes,
  gibibytes,
  type Place,
  type PlannedTier,
  placesOf,
  plannedTiers,
  script,
  shellCommand,
} from './places.js';

/** The methods the adapter in python/ has a serde for. */
const METHODS = ['int8', 'int4', 'fp8'];
/** Share of L1 that loads pass through where the tier profile reserves nothing. */
const DEFAULT_STAGING_SHARE = 0.2;

/**
 * LMCache with the adapter of python/: follows the plan context by context. Memory is LMCache's L1 for what is
 * uncompressed, and an adapter on tmpfs, inside the same budget, for what is compressed; every other tier has
 * one L2 adapter per method.
 */
export const lmcache: EngineTarget = {
  name: 'lmcache',
  checkedAgainst: 'LMCache 0.5.6 with vLLM 0.32.0 (parsed and run)',
  capabilities: {
    methods: METHODS,
    instanceMethods: [],
    tierKinds: ['dram', 'file', 'redis', 's3'],
    perContext: true,
    notes: [
      'Token-dropping methods cannot be loaded: LMCache and vLLM count tokens by position.',
      'A plan with a tier or method the server has no adapter for is refused as a whole; the one in force stays.',
      'Contexts without engine keys in the plan are treated as unseen: the rules of their class apply.',
      'A chunk that several contexts share is kept in the best quality any of them asks for.',
    ],
  },
  files(plan, setting) {
    const tiers = plannedTiers(plan, setting.tiers);
    const places = placesOf(plan);
    return [
      {
        path: 'lmcache-server.sh',
        executable: true,
        text: script(
          `LMCache server for plan generation ${plan.header.generation}; it follows later plans by itself.\nSizes are GiB (2^30) per node, for all ranks together.`,
          [
            ...(isAbsolute(setting.planPath) ? [] : ['here=$(dirname "$(readlink -f "$0")")']),
            'export LMCACHE_TRACK_USAGE=false',
            `exec ${shellCommand(`python -m evicpress.lmcache --plan ${planWord(setting)}`, serverFlags(plan, tiers, places))}`,
          ].join('\n'),
        ),
      },
      {
        path: 'vllm.sh',
        executable: true,
        text: script(
          'vLLM beside that server. Its own prefix cache on the GPU stays in front.',
          `exec ${shellCommand('vllm serve', [
            [setting.modelPath],
            ...(setting.ranks > 1 ? [['--tensor-parallel-size', String(setting.ranks)]] : []),
            [
              '--kv-transfer-config',
              JSON.stringify({
                kv_connector: 'LMCacheMPConnector',
                kv_role: 'kv_both',
                // Where a load fails the tokens are computed; by default the request fails, and the engine may end.
                kv_load_failure_policy: 'recompute',
                kv_connector_extra_config: { 'lmcache.mp.host': 'tcp://127.0.0.1', 'lmcache.mp.port': 5555 },
              }),
            ],
          ])} "$@"`,
        ),
      },
    ];
  },
  warnings(plan, setting) {
    const tiers = plannedTiers(plan, setting.tiers);
    return [...tiers.flatMap(storageNotes), ...roomWarnings(plan, tiers)];
  },
};

/** Where what is loaded and stored finds too little room in L1. */
function roomWarnings(plan: Plan, tiers: readonly PlannedTier[]): string[] {
  const { memory, pinned, l1Bytes, stagingBytes } = memorySplit(tiers, placesOf(plan));
  if (memory === undefined) return [];
  const needed = largestLoadBytes(plan.rows, memory.name);
  const left = Math.max(0, Math.min(stagingBytes, l1Bytes - pinned));
  // Without loads there are still new contexts, which are stored by way of L1.
  const wanted = memory.reservedBytes > 0 ? needed : Math.max(needed, stagingBytes);
  if (wanted <= left) return [];
  return [
    `What is loaded and stored passes through L1, where the plan leaves ${formatBytes(left)}; ${
      needed > left
        ? `the largest context that is loaded takes ${formatBytes(needed)} there`
        : `${formatBytes(wanted)} are kept free for it`
    }. What has no room is computed again. Give ${memory.name} "reservedBytes": ${Math.ceil(wanted)} in the tier profile, or more for several at once, and plan again.`,
  ];
}

const inL1 = ({ tier, method }: Placement | Place, memory: string) =>
  tier === memory && method === UNCOMPRESSED;

/**
 * Bytes that the largest request loads through L1, of a context with all it continues: whole, and beside that as
 * stored where it is compressed.
 */
function largestLoadBytes(rows: readonly Placement[], memory: string): number {
  const own = (row: Placement) => {
    if (row.tier === RECOMPUTE || inL1(row, memory)) return 0;
    const full = row.storedBytes / (1 - row.compressionRatio);
    return full + (row.method === UNCOMPRESSED ? 0 : row.storedBytes);
  };
  const byName = new Map<string, Placement>();
  if (rows.some((row) => row.parent !== undefined)) for (const row of rows) byName.set(row.context, row);
  /** With all it continues. */
  const whole = new Map<Placement, number>();
  let largest = 0;
  for (const row of rows) {
    const path = new Set<Placement>();
    let at: Placement | undefined = row;
    // A plan from elsewhere may go in circles.
    while (at !== undefined && !whole.has(at) && !path.has(at)) {
      path.add(at);
      at = at.parent === undefined ? undefined : byName.get(at.parent);
    }
    let bytes = at === undefined ? 0 : (whole.get(at) ?? 0);
    for (const each of [...path].reverse()) {
      bytes += own(each);
      whole.set(each, bytes);
    }
    largest = Math.max(largest, bytes);
  }
  return largest;
}

/** The memory tier, what of its budget is L1, what is pinned there, and the part of L1 that is kept free for loads. */
function memorySplit(tiers: readonly PlannedTier[], places: readonly Place[]) {
  const memory = tiers.find((tier) => tier.kind === 'dram');
  let [pinned, compressed] = [0, 0];
  for (const place of places) {
    if (place.tier !== memory?.name) continue;
    if (inL1(place, memory.name)) pinned += place.storedBytes;
    else compressed += place.storedBytes;
  }
  const reserved = memory?.reservedBytes ?? 0;
  const l1Bytes = Math.max(0, budgetBytes(memory) + reserved - compressed);
  const stagingShare =
    reserved > 0 && l1Bytes > 0 ? Math.min(0.9, reserved / l1Bytes) : DEFAULT_STAGING_SHARE;
  return { memory, pinned, l1Bytes, stagingShare, stagingBytes: stagingShare * l1Bytes };
}

/** The plan's path for the shell: a relative one goes out from the script, wherever that is started. */
function planWord({ planPath }: ExportSetting): string {
  return isAbsolute(planPath) ? shellWord(planPath) : `"$here"/${shellWord(planPath)}`;
}

function chunkTokens(
  rows: readonly { readonly keys?: { readonly chunkSize: number } | undefined }[],
): number {
  return rows.find((row) => row.keys !== undefined)?.keys?.chunkSize ?? LMCACHE_CHUNK_TOKENS;
}

function serverFlags(plan: Plan, tiers: readonly PlannedTier[], places: readonly Place[]): string[][] {
  const { model } = plan.header;
  const { memory, l1Bytes, stagingShare } = memorySplit(tiers, places);
  return [
    ...(model === null ? [] : [['--plan-model', model]]),
    ...(memory === undefined ? [] : [['--l1-tier', memory.name]]),
    ['--staging-share', stagingShare.toFixed(3)],
    ['--host', '127.0.0.1', '--port', '5555', '--http-host', '127.0.0.1', '--http-port', '8080'],
    ['--chunk-size', String(chunkTokens(plan.rows))],
    ['--l1-size-gb', String(gibibytes(l1Bytes))],
    // The plan owns L1: LMCache's own eviction would drop what is pinned.
    ['--eviction-policy', 'noop'],
    ['--supported-transfer-mode', 'auto'],
    ...adapters(tiers, places, memory).map((spec) => ['--l2-adapter', JSON.stringify(spec)]),
  ];
}

/** Every method of the plan in every tier, so that later plans find their places too; fast to slow, whole caches first. */
function adapters(
  tiers: readonly PlannedTier[],
  places: readonly Place[],
  memory: PlannedTier | undefined,
): Record<string, unknown>[] {
  const methods = [
    UNCOMPRESSED,
    ...METHODS.filter((method) => places.some((place) => place.method === method)),
  ];
  return tiers
    .filter((tier) => lmcache.capabilities.tierKinds.includes(tier.kind))
    .flatMap((tier) =>
      methods
        .filter((method) => tier !== memory || method !== UNCOMPRESSED)
        .map((method) => adapter(tier, method)),
    );
}

/** One L2 adapter: the tier's storage, the method's serde, and the mark that tells our adapter what it stands for. */
function adapter(tier: PlannedTier, method: string): Record<string, unknown> {
  return {
    ...storageOf(tier, method),
    evicpress_tier: tier.name,
    ...(method === UNCOMPRESSED ? {} : { serde: { type: `evicpress-${method}` } }),
  };
}
