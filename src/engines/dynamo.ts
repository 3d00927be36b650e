import type { EngineTarget } from './engine.js';
import { budgetBytes, plannedTiers } from './places.js';

/** Dynamo's block manager (KVBM): one size for memory, one for disk, each larger than the one above. */
export const dynamo: EngineTarget = {
  name: 'dynamo',
  checkedAgainst: 'Dynamo KVBM 1.6.1 (names read from its binary, not run)',
  capabilities: {
    methods: [],
    instanceMethods: [],
    tierKinds: ['dram', 'file'],
    perContext: false,
    notes: [
      'Which blocks are kept is decided by KVBM, not by the plan; the plan gives the sizes.',
      "Each tier must be larger than the one above it, the GPU's cache included.",
      'Sizes are whole GB; they are rounded down from GiB, so that the budget holds in either unit.',
    ],
  },
  files(plan, { tiers: profiled }) {
    const tiers = plannedTiers(plan, profiled);
    const memory = tiers.find((tier) => tier.kind === 'dram');
    const file = tiers.find((tier) => tier.kind === 'file' && tier.usedBytes > 0);
    const whole = (bytes: number) => Math.floor(bytes / 2 ** 30);
    const memoryGb = whole(budgetBytes(memory));
    const diskGb =
      file === undefined ? 0 : Math.max(whole(budgetBytes(file)), memoryGb > 0 ? memoryGb + 1 : 0);
    return [
      {
        path: 'kvbm.env',
        text: [
          `# Dynamo KVBM sized by plan generation ${plan.header.generation}; read by every worker.`,
          ...(memoryGb > 0 ? [`DYN_KVBM_CPU_CACHE_GB=${memoryGb}`] : []),
          ...(diskGb > 0
            ? [
                `DYN_KVBM_DISK_CACHE_GB=${diskGb}`,
                `DYN_KVBM_DISK_CACHE_DIR=${file?.location ?? '/var/cache/evicpress'}`,
                '# The plan decides what is worth keeping: no filter of its own on the way to disk.',
                'DYN_KVBM_DISABLE_DISK_OFFLOAD_FILTER=true',
              ]
            : []),
          '',
        ].join('\n'),
      },
    ];
  },
};
