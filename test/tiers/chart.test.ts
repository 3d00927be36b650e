import { describe, expect, it } from 'vitest';
import type { Tier } from '../../src/formats/tiers.js';
import { tierChart } from '../../src/report/tier-chart.js';

const read = { latencySeconds: 1e-3, bytesPerSecond: 1e9 };
const point = (bytes: number, streams: number) => ({ bytes, streams, seconds: 1e-3 + bytes / 1e9 });
const tier: Tier = {
  name: 'disk',
  kind: 'file',
  capacityBytes: null,
  read,
  samples: [point(1e6, 1), point(16e6, 1), point(256e6, 1), point(16e6, 12)],
};

describe('tierChart', () => {
  it('draws every point with its streams, the fit and both axes', () => {
    const chart = tierChart(tier)!;
    expect(chart).toMatch(/^disk: read bandwidth/);
    expect(chart).toMatch(/1\.00 MB +256 MB$/);
    expect(chart.match(/1/g)!.length).toBeGreaterThan(2);
    expect(chart).toContain('c');
    expect(chart).toContain('·');
    expect(Math.max(...chart.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('says nothing about a tier without samples', () => {
    expect(tierChart({ ...tier, samples: [] })).toBeUndefined();
    expect(tierChart({ ...tier, samples: [point(1e6, 1)] })).toBeUndefined();
  });
});
