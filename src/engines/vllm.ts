import type { EngineTarget } from './engine.js';
import { instanceMethod } from './instance-method.js';
import { budgetBytes, folderOf, gibibytes, placesOf, plannedTiers, script, shellCommand } from './places.js';

/** vLLM's names for methods that apply to its whole cache. */
const CACHE_DTYPES: Readonly<Record<string, string>> = {
  fp8: 'fp8',
  int8: 'int8_per_token_head',
  int4: 'int4_per_token_head',
};

/** vLLM's own offloading: one size for memory, one folder for files, LRU; one cache type for all contexts. */
export const vllm: EngineTarget = {
  name: 'vllm',
  checkedAgainst: 'vLLM 0.32.0 (its own argument parser)',
  capabilities: {
    methods: [],
    instanceMethods: Object.keys(CACHE_DTYPES),
    tierKinds: ['dram', 'file'],
    perContext: false,
    notes: [
      'Which contexts are kept is decided by LRU, not by the plan; the plan gives the sizes.',
      'A cache type holds for every context, the ones on the GPU included.',
      'A file tier has no limit of its own: watch the folder, or give it a quota.',
    ],
  },
  files(plan, setting) {
    const tiers = plannedTiers(plan, setting.tiers);
    const memory = tiers.find((tier) => tier.kind === 'dram');
    const file = tiers.find((tier) => tier.kind === 'file' && tier.usedBytes > 0);
    const method = instanceMethod(placesOf(plan), Object.keys(CACHE_DTYPES));
    return [
      {
        path: 'vllm.sh',
        executable: true,
        text: script(
          `vLLM with offloading sized by plan generation ${plan.header.generation}.\nMemory is in all, over the ${setting.ranks} rank(s).`,
          `exec ${shellCommand('vllm serve', [
            [setting.modelPath],
            ...(setting.ranks > 1 ? [['--tensor-parallel-size', String(setting.ranks)]] : []),
            ['--enable-prefix-caching'],
            ...(method === undefined ? [] : [['--kv-cache-dtype', CACHE_DTYPES[method]!]]),
            ...offloading(budgetBytes(memory), file === undefined ? undefined : folderOf(file)),
          ])} "$@"`,
        ),
      },
    ];
  },
};

/** `--kv-offloading-size` (GiB, all ranks) for memory alone; the tiering connector (bytes) where files follow. */
function offloading(bytes: number, folder: string | undefined): string[][] {
  if (folder === undefined) {
    if (bytes === 0) return [];
    return [
      ['--kv-offloading-size', String(gibibytes(bytes))],
      ['--kv-offloading-backend', 'native'],
    ];
  }
  return [
    [
      '--kv-transfer-config',
      JSON.stringify({
        kv_connector: 'OffloadingConnector',
        kv_role: 'kv_both',
        kv_connector_extra_config: {
          spec_name: 'TieringOffloadingSpec',
          cpu_bytes_to_use: Math.floor(bytes),
          eviction_policy: 'lru',
          secondary_tiers: [{ type: 'fs', root_dir: folder }],
        },
      }),
    ],
  ];
}
