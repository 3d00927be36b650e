import { shellWord } from '../shell-word.js';
import type { EngineTarget } from './engine.js';
import { instanceMethod } from './instance-method.js';
import { budgetBytes, folderOf, placesOf, plannedTiers, script, shellCommand } from './places.js';

/** SGLang's HiCache: one host pool per rank, one storage backend behind it, its own eviction. */
export const sglang: EngineTarget = {
  name: 'sglang',
  checkedAgainst: 'SGLang 0.5.23 (names read from its source, not run)',
  capabilities: {
    methods: [],
    instanceMethods: ['fp8'],
    tierKinds: ['dram', 'file'],
    perContext: false,
    notes: [
      'Which contexts are kept is decided by the radix cache (LRU here), not by the plan; the plan gives the sizes.',
      "--hicache-size is in GB (10^9 bytes) and per rank: the plan's memory is divided by the ranks.",
      'The file backend has no limit of its own: watch the folder, or give it a quota.',
    ],
  },
  files(plan, setting) {
    const tiers = plannedTiers(plan, setting.tiers);
    const memory = tiers.find((tier) => tier.kind === 'dram');
    const file = tiers.find((tier) => tier.kind === 'file' && tier.usedBytes > 0);
    const gigabytesPerRank = Math.floor(budgetBytes(memory) / setting.ranks / 1e9);
    const fp8 = instanceMethod(placesOf(plan), ['fp8']) !== undefined;
    const folder = file === undefined ? undefined : folderOf(file);
    return [
      {
        path: 'sglang.sh',
        executable: true,
        text: script(
          `SGLang with HiCache sized by plan generation ${plan.header.generation}.\n--hicache-size is GB (10^9) for each of the ${setting.ranks} rank(s).`,
          `${folder === undefined ? '' : `export SGLANG_HICACHE_FILE_BACKEND_STORAGE_DIR=${shellWord(folder)}\n`}exec ${shellCommand(
            'python -m sglang.launch_server',
            [
              ['--model-path', setting.modelPath],
              ...(setting.ranks > 1 ? [['--tp-size', String(setting.ranks)]] : []),
              ...(gigabytesPerRank > 0
                ? [['--enable-hierarchical-cache'], ['--hicache-size', String(gigabytesPerRank)]]
                : []),
              ...(folder === undefined || gigabytesPerRank === 0
                ? []
                : [
                    ['--hicache-storage-backend', 'file'],
                    ['--hicache-write-policy', 'write_through_selective'],
                    ['--hicache-storage-prefetch-policy', 'wait_complete'],
                  ]),
              ['--radix-eviction-policy', 'lru'],
              ...(fp8 ? [['--kv-cache-dtype', 'fp8_e4m3']] : []),
            ],
          )} "$@"`,
        ),
      },
    ];
  },
};
