import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Placement, type PlanHeader, writePlan } from '../../src/formats/plan.js';
import type { PolicyResult } from '../../src/formats/replay.js';

/** A name that breaks out of text, attributes and scripts where it is not escaped. */
export const HOSTILE = '</script><img src=x onerror="globalThis.broken=1">\'"&\u0007';

/** A folder with results in .evicpress, as the commands leave them. Two tiers, some contexts compressed. */
export async function resultsFolder(options: { contexts?: number; hostile?: boolean } = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'evicpress-report-'));
  const results = join(folder, '.evicpress');
  await mkdir(results);
  const json = (name: string, value: unknown) => writeFile(join(results, name), JSON.stringify(value));
  await json('tiers.json', TIERS);
  await writeFile(
    join(results, 'methods.ndjson'),
    [
      { format: 'evicpress.methods', version: 1, model: 'llama-3.1-8b' },
      ...methodRows(options.hostile === true),
    ]
      .map((row) => JSON.stringify(row))
      .join('\n'),
  );
  const rows = placements(options.contexts ?? 40, options.hostile === true);
  await writePlan(join(results, 'plan.ndjson'), header(rows), rows);
  await json('replay.json', {
    format: 'evicpress.replay',
    version: 1,
    log: options.hostile === true ? HOSTILE : 'requests.jsonl',
    requests: 200,
    warm: 100,
    policies: [policy('lru', 0.4, 1), policy('evicpress', 0.3, 0.98), policy('belady', 0.25, 1)],
    lruCurve: [0.1, 0.2, 0.38, 0.4].map((prefixHitRate, i) => ({
      capacityBytes: 10 ** i * 1e9,
      prefixHitRate,
    })),
  });
  await json('size.json', {
    format: 'evicpress.size',
    version: 1,
    points: [20, 40, 80, 160].map((gb) => ({
      capacities: { dram: gb * 1e9 },
      meanTtftSeconds: 2 / gb,
      meanQuality: 0.99,
      hitShare: 1 - 1 / gb,
    })),
    knee: { capacities: { dram: 80e9 } },
  });
  return folder;
}

export const TIERS = {
  format: 'evicpress.tiers',
  version: 1,
  tiers: [
    {
      name: 'dram',
      kind: 'dram',
      capacityBytes: 2e9,
      read: { latencySeconds: 1e-4, bytesPerSecond: 20e9 },
      source: 'measured',
      measuredAt: '2026-01-02T03:04:05Z',
      samples: [1e6, 1e7, 1e8].flatMap((bytes) =>
        [1, 4].map((streams) => ({ bytes, streams, seconds: 1e-4 + (streams * bytes) / 20e9 })),
      ),
    },
    {
      name: 'ssd',
      kind: 'file',
      capacityBytes: null,
      read: { latencySeconds: 1e-3, bytesPerSecond: 2e9 },
      source: 'reference',
    },
  ],
};

function methodRows(hostile: boolean): object[] {
  const contexts = ['*', 'a', 'b', hostile ? HOSTILE : 'c'];
  return contexts.flatMap((context, k) =>
    [0.3, 0.6].map((compressionRatio) => ({
      context,
      fullBytes: 1e8,
      method: 'keydiff',
      compressionRatio,
      storedBytes: 1e8 * (1 - compressionRatio),
      quality: 1 - compressionRatio * 0.1 * k,
      qualityStdError: 0.02,
      queries: 5,
      metric: 'answer-similarity',
      runner: 'embedded',
      model: 'llama-3.1-8b',
    })),
  );
}

function placements(count: number, hostile: boolean): Placement[] {
  return Array.from({ length: count }, (_, i): Placement => {
    const tier = ['dram', 'ssd', 'recompute'][i % 3]!;
    const lossy = tier === 'ssd' && i % 2 === 0;
    const storedBytes = tier === 'recompute' ? 0 : lossy ? 4e7 : 1e8;
    const ttftSeconds =
      tier === 'recompute' ? 0.02 : tier === 'dram' ? 1e-4 + storedBytes / 20e9 : 1e-3 + storedBytes / 2e9;
    return {
      context: hostile && i === 0 ? HOSTILE : `context-${i}`,
      ...(i > 2 && i % 3 === 0 ? { parent: `context-${i - 3}` } : {}),
      tier,
      method: lossy ? 'keydiff' : 'none',
      compressionRatio: lossy ? 0.6 : 0,
      storedBytes,
      quality: lossy ? 0.94 : 1,
      ttftSeconds,
      accesses: count - i,
    };
  });
}

function header(rows: readonly Placement[]): PlanHeader {
  const used = (tier: string) =>
    rows.filter((row) => row.tier === tier).reduce((sum, row) => sum + row.storedBytes, 0);
  const weight = rows.reduce((sum, row) => sum + row.accesses, 0);
  const mean = (of: (row: Placement) => number) =>
    rows.reduce((sum, row) => sum + row.accesses * of(row), 0) / weight;
  const utility = weight * (mean((row) => row.quality) - mean((row) => row.ttftSeconds));
  return {
    format: 'evicpress.plan',
    version: 1,
    generation: 3,
    model: 'llama-3.1-8b',
    periodSeconds: 3600,
    objective: { alpha: 1 },
    tiers: [
      { name: 'dram', capacityBytes: 2e9, usedBytes: used('dram'), price: 2e-10 },
      { name: 'ssd', capacityBytes: null, usedBytes: used('ssd'), price: 0 },
    ],
    summary: {
      contexts: rows.length,
      utility,
      bound: utility + 1,
      relaxationBound: utility + 1,
      gap: 1,
      gapOfSpan: 0.01,
      meanTtftSeconds: mean((row) => row.ttftSeconds),
      meanQuality: mean((row) => row.quality),
      solver: 'dual',
    },
    rules: {},
    inputs: [],
  };
}

function policy(name: string, meanTtft: number, quality: number): PolicyResult {
  const percentiles = Array.from({ length: 101 }, (_, percent) => (meanTtft * percent) / 50);
  const atLoad = (load: number) => ({ mean: meanTtft * load, p50: load, p90: load, p99: load });
  return {
    policy: name,
    hitShare: { dram: 0.3, ssd: 0.4 },
    prefixHitRate: 0.35,
    ttft: { mean: meanTtft, p50: meanTtft * 0.8, p90: meanTtft * 2, p99: meanTtft * 4, percentiles },
    meanQuality: quality,
    p10Quality: quality - 0.02,
    bytesRead: { dram: 1e9, ssd: 1e9 },
    bytesWritten: { dram: 1e9, ssd: 1e9 },
    bytesMoved: 0,
    utilization: 0.5,
    series: Array.from({ length: 10 }, (_, i) => ({
      startSeconds: i * 60,
      requests: 10,
      hitShare: 0.5 + i / 40,
      meanTtftSeconds: meanTtft * (1 + i / 20),
      meanQuality: quality,
    })),
    sweep: {
      target: { statistic: 'mean', seconds: 1 },
      maxLoad: 1 / meanTtft,
      maxRequestsPerSecond: 3 / meanTtft,
      points: [0.5, 1, 2, 4, 1024].map((load) => ({ load, requestsPerSecond: 3 * load, ttft: atLoad(load) })),
    },
  };
}
