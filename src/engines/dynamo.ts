import type { Plan } from '../formats/plan.js';
import type { Tier } from '../formats/tiers.js';
import type { EngineTarget } from './engine.js';
import { budgetBytes, folderOf, type PlannedTier, plannedTiers } from './places.js';

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
  files(plan, { tiers }) {
    const { memoryGb, disk } = sizesOf(plan, tiers);
    return [
      {
        path: 'kvbm.env',
        text: [
          `# Dynamo KVBM sized by plan generation ${plan.header.generation}; read by every worker.`,
          ...(memoryGb > 0 ? [`DYN_KVBM_CPU_CACHE_GB=${memoryGb}`] : []),
          ...(disk !== undefined && disk.gb > 0
            ? [
                `DYN_KVBM_DISK_CACHE_GB=${disk.gb}`,
                `DYN_KVBM_DISK_CACHE_DIR=${folderOf(disk.tier)}`,
                '# The plan decides what is worth keeping: no filter of its own on the way to disk.',
                'DYN_KVBM_DISABLE_DISK_OFFLOAD_FILTER=true',
              ]
            : []),
          '',
        ].join('\n'),
      },
    ];
  },
  warnings(plan, { tiers }) {
    const { memoryGb, disk } = sizesOf(plan, tiers);
    if (disk === undefined || disk.gb <= disk.plannedGb) return [];
    return [
      `Dynamo's disk cache must be larger than its memory of ${memoryGb} GB, so it is given ${disk.gb} GB, more than the ${disk.plannedGb} GB that ${disk.tier.name} has. Plan with less memory, or see that the disk has room.`,
    ];
  },
};

interface Sizes {
  readonly memoryGb: number;
  /** Where the plan keeps anything in files: what they are given, and what the plan may use. */
  readonly disk: { readonly tier: PlannedTier; readonly gb: number; readonly plannedGb: number } | undefined;
}

function sizesOf(plan: Plan, profiled: readonly Tier[]): Sizes {
  const tiers = plannedTiers(plan, profiled);
  const memoryGb = wholeGibibytes(budgetBytes(tiers.find(({ kind }) => kind === 'dram')));
  const tier = tiers.find(({ kind, usedBytes }) => kind === 'file' && usedBytes > 0);
  if (tier === undefined) return { memoryGb, disk: undefined };
  const plannedGb = wholeGibibytes(budgetBytes(tier));
  return { memoryGb, disk: { tier, gb: Math.max(plannedGb, memoryGb > 0 ? memoryGb + 1 : 0), plannedGb } };
}

function wholeGibibytes(bytes: number): number {
  return Math.floor(bytes / 2 ** 30);
}
