import type { Placement, Plan } from '../../src/formats/plan.js';

/** A row with the fields engines look at. */
export function rowAt(context: string, tier: string, method: string, storedBytes: number): Placement {
  return {
    context,
    tier,
    method,
    compressionRatio: 0,
    storedBytes,
    quality: 1,
    ttftSeconds: 0,
    accesses: 1,
  };
}

/** A plan over dram (80 GB) and nvme (800 GB), written by hand. */
export function handPlan(generation: number, rows: readonly Placement[]): Plan {
  const used = (tier: string) =>
    rows.filter((row) => row.tier === tier).reduce((sum, row) => sum + row.storedBytes, 0);
  return {
    header: {
      format: 'evicpress.plan',
      version: 1,
      generation,
      model: 'm',
      periodSeconds: 3600,
      objective: { alpha: 1 },
      tiers: [
        { name: 'dram', kind: 'dram', capacityBytes: 80e9, usedBytes: used('dram'), price: 0 },
        { name: 'nvme', kind: 'file', capacityBytes: 800e9, usedBytes: used('nvme'), price: 0 },
      ],
      summary: {
        contexts: rows.length,
        utility: 0,
        bound: 0,
        relaxationBound: 0,
        gap: 0,
        gapOfSpan: 0,
        meanTtftSeconds: 0,
        meanQuality: 1,
        solver: 'by hand',
      },
      rules: {},
      inputs: [],
    },
    rows,
  };
}
