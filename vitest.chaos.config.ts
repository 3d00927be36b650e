import { defineConfig } from 'vitest/config';

/** The layer of faults: kills, full disks, damage. EVICPRESS_CHAOS_KILLS and EVICPRESS_CHAOS_SEED make it longer, or another. */
export default defineConfig({
  test: {
    include: ['test/**/*.chaos.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
    fileParallelism: false,
  },
});
