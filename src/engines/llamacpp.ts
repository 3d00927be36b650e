import type { EngineTarget } from './engine.js';
import { instanceMethod } from './instance-method.js';
import { budgetBytes, folderOf, placesOf, plannedTiers, script, shellCommand } from './places.js';

/** llama.cpp's names for methods that apply to its whole cache. */
const CACHE_TYPES: Readonly<Record<string, string>> = { int8: 'q8_0', int4: 'q4_0' };

/** llama.cpp's server: prompts cached in memory, slots saved to files on request, one cache type for all. */
export const llamacpp: EngineTarget = {
  name: 'llamacpp',
  checkedAgainst: 'llama.cpp build 11549 (flags and settings of the library in xllamacpp 2026.10.11549)',
  capabilities: {
    methods: [],
    instanceMethods: Object.keys(CACHE_TYPES),
    tierKinds: ['dram', 'file'],
    perContext: false,
    notes: [
      'Files are written and read on request (POST /slots/N?action=save or restore): your router must do it.',
      'A cache type holds for every context; a quantized V cache needs flash attention.',
      'Dropping tokens is possible through the library (llama_memory_seq_rm), not through the server.',
    ],
  },
  files(plan, setting) {
    const tiers = plannedTiers(plan, setting.tiers);
    const memory = tiers.find((tier) => tier.kind === 'dram');
    const file = tiers.find((tier) => tier.kind === 'file' && tier.usedBytes > 0);
    const method = instanceMethod(placesOf(plan), Object.keys(CACHE_TYPES));
    return [
      {
        path: 'llama-server.sh',
        executable: true,
        text: script(
          `llama.cpp sized by plan generation ${plan.header.generation}. --cache-ram is MiB (2^20).`,
          `exec ${shellCommand('llama-server', [
            ['--model', setting.modelPath],
            ['--cache-ram', String(Math.floor(budgetBytes(memory) / 2 ** 20))],
            ...(file === undefined ? [] : [['--slot-save-path', folderOf(file)]]),
            ...(method === undefined
              ? []
              : [
                  ['--cache-type-k', CACHE_TYPES[method]!],
                  ['--cache-type-v', CACHE_TYPES[method]!],
                  ['--flash-attn', 'on'],
                ]),
          ])} "$@"`,
        ),
      },
    ];
  },
};
