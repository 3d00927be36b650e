import { defineConfig } from 'vitest/config';

/** The slow layer: real models, engines and servers; each test says why it skips where they cannot be had. */
export default defineConfig({
  test: {
    include: ['test/**/*.engine.test.ts'],
    testTimeout: 900_000,
    hookTimeout: 900_000,
    maxWorkers: 1,
    fileParallelism: false,
  },
});
