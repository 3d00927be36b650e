import { describe, expect, it } from 'vitest';
import { bundledLog } from '../traces/logs.js';
import { row, run, tier } from './setting.js';

describe('lru by runs', () => {
  it.each([[[1]], [[137]], [[40, 60]], [[100, 300]], [[3000, 20]], [[25, 400, 90]], [[500, null]]])(
    'does what lru does block by block (%j blocks)',
    async (sizes) => {
      const trace = await bundledLog();
      const tiers = sizes.map((blocks, i) => tier(`t${i}`, blocks, 20e9 / 2 ** i));
      const byRun = run('lru', { trace, tiers });
      // With something to choose among, blocks may differ in size, and are treated one by one.
      const byBlock = run('lru', { trace, tiers, rows: [row('int8', 0.5, 0.99)] });
      expect(byRun.result).toEqual(byBlock.result);
      expect(byRun.store.tierOf).toEqual(byBlock.store.tierOf);
      expect(byRun.store.leftBytes).toEqual(byBlock.store.leftBytes);
    },
  );
});
