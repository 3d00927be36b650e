import { defineConfig } from 'vitest/config';

/** The fast layer: everything that needs no model, engine or server. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/**/*.engine.test.ts', 'test/**/*.chaos.test.ts', 'node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
