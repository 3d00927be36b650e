import { mkdtemp, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readPlan } from '../../src/formats/plan.js';
import { answerOf, bestPossibleTtft } from '../../src/report/answer.js';
import { gatherEvidence } from '../../src/report/evidence.js';
import { drawFigures, htmlPage } from '../../src/report/html-page.js';
import { packData } from '../../src/report/pack.js';
import { explain, ttftOf } from '../../src/report/page/explain.js';
import type { PageData, PlacementData } from '../../src/report/page-data.js';
import { paretoFront } from '../../src/report/pareto.js';
import { totalRequests } from '../../src/report/placements.js';
import { provenanceOf } from '../../src/report/provenance.js';
import { HOSTILE, resultsFolder } from './fixtures.js';

const evidenceIn = (folder: string) => {
  const results = join(folder, '.evicpress');
  const path = (name: string) => join(results, name);
  return gatherEvidence(
    {
      plan: path('plan.ndjson'),
      tiers: path('tiers.json'),
      methods: path('methods.ndjson'),
      replay: path('replay.json'),
      size: path('size.json'),
    },
    {},
  );
};

const unpack = (base64: string) =>
  JSON.parse(gunzipSync(Buffer.from(base64, 'base64')).toString()) as PageData & {
    placements: PlacementData;
  };

describe('the answer', () => {
  it('is computed from the files', async () => {
    const evidence = await evidenceIn(await resultsFolder());
    const { summary } = evidence.plan!.header;
    const [first, second] = answerOf(evidence).sentences;
    expect(first).toContain(`quality ${summary.meanQuality.toFixed(3)}`);
    expect(second).toContain('300 ms');
    expect(second).toContain('25.0 % faster');
  });

  it('gives the bound as a TTFT: the gap of utility spread over all requests', async () => {
    const plan = (await evidenceIn(await resultsFolder())).plan!;
    const { summary } = plan.header;
    expect(bestPossibleTtft(plan)).toBeCloseTo(
      summary.meanTtftSeconds - summary.gap / totalRequests(plan.placements),
      12,
    );
  });

  it('says what a replay without lru or evicpress showed', async () => {
    const folder = await resultsFolder();
    const path = join(folder, '.evicpress', 'replay.json');
    const replay = JSON.parse(await readFile(path, 'utf8'));
    replay.policies = replay.policies.filter((policy: { policy: string }) => policy.policy === 'lru');
    await writeFile(path, JSON.stringify(replay));
    const text = answerOf(await evidenceIn(folder)).sentences.join(' ');
    expect(text).toContain('Of what was compared, lru answers the first token soonest');
  });

  it('names a tier as the limit only where it is full', async () => {
    const evidence = await evidenceIn(await resultsFolder());
    const { plan } = evidence;
    const [dram, ...others] = plan!.header.tiers;
    const limit = (usedBytes: number) => {
      const tiers = [{ ...dram!, capacityBytes: 10e9, usedBytes, price: 1e-9 }, ...others];
      const header = { ...plan!.header, tiers: tiers.map((t) => (t === tiers[0] ? t : { ...t, price: 0 })) };
      return answerOf({ ...evidence, plan: { ...plan!, header } }).sentences.at(-1);
    };
    expect(limit(9.95e9)).toMatch(/^What limits the plan is dram: one more GB/);
    expect(limit(4e9)).toMatch(/^No tier .* is full: .* the 6\.00 GB that are free in dram\. By the bound/);
  });

  it('does not compare saturated servers', async () => {
    const folder = await resultsFolder();
    const path = join(folder, '.evicpress', 'replay.json');
    const replay = JSON.parse(await readFile(path, 'utf8'));
    replay.policies[0].saturated = true;
    await writeFile(path, JSON.stringify(replay));
    const text = answerOf(await evidenceIn(folder)).sentences.join(' ');
    expect(text).toContain('must not be compared');
    expect(text).not.toContain('% faster');
  });
});

describe('the page', () => {
  it('holds every figure that the files can fill, and no address to load anything from', async () => {
    const evidence = await evidenceIn(await resultsFolder());
    expect(drawFigures(evidence).map((figure) => figure.id)).toEqual([
      'policies',
      'ttft',
      'distribution',
      'load',
      'hits',
      'lru-curve',
      'time',
      'capacity',
      'stored',
      'prices',
      'quality',
      'contexts',
      'tiers',
    ]);
    const html = await htmlPage(evidence, 'A title', new Date(0));
    expect(html).not.toMatch(/(src|href)="(?!#)/);
    expect(html).toContain("default-src 'none'");
  });

  it('is made from whatever exists', async () => {
    const folder = await resultsFolder();
    const here = process.cwd();
    onTestFinished(() => process.chdir(here));
    process.chdir(folder);
    await rename('.evicpress', 'results');
    const tiersOnly = await gatherEvidence({ tiers: join(folder, 'results', 'tiers.json') }, {});
    expect(drawFigures(tiersOnly).map((figure) => figure.id)).toEqual(['tiers']);
    expect(await htmlPage(tiersOnly, 'Tiers', new Date(0))).toContain('There is no plan yet');
  });

  it('escapes hostile names and keeps them out of the markup', async () => {
    const evidence = await evidenceIn(await resultsFolder({ hostile: true }));
    const html = await htmlPage(evidence, HOSTILE, new Date(0));
    expect(html).not.toContain('<img');
    expect(html.match(/<\/script>/g)).toHaveLength(3);
  });

  it('is under 2 MB for 100,000 contexts and has them all where ids compress', async () => {
    const evidence = await evidenceIn(await resultsFolder({ contexts: 100_000 }));
    const html = await htmlPage(evidence, 'Large', new Date(0));
    expect(Buffer.byteLength(html)).toBeLessThan(2e6);
    expect(packData(evidence, []).rows).toBe(100_000);
  });

  it('keeps the most accessed where not all fit', async () => {
    const evidence = await evidenceIn(await resultsFolder({ contexts: 60_000 }));
    const plan = evidence.plan!;
    // Ids of 48 random hex digits do not compress below 24 bytes.
    let state = 1;
    const hex = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state.toString(16).padStart(8, '0');
    };
    const contexts = plan.placements.contexts.map(() => Array.from({ length: 6 }, hex).join(''));
    const packed = packData(
      { ...evidence, plan: { ...plan, placements: { ...plan.placements, contexts } } },
      [],
    );
    expect(packed.rows).toBeLessThan(60_000);
    expect(packed.rows).toBeGreaterThan(20_000);
    expect(packed.base64.length).toBeLessThan(1_450_001);
    const { placements } = unpack(packed.base64);
    expect(Math.min(...placements.accesses)).toBeGreaterThanOrEqual(60_000 - packed.rows);
    expect(placements.total).toBe(60_000);
  });
});

describe('explaining a placement in the page', () => {
  it('gives back the plan’s own TTFT and utility, and prices the rest', async () => {
    const folder = await resultsFolder();
    const plan = await readPlan(join(folder, '.evicpress', 'plan.ndjson'));
    const { placements } = unpack(packData(await evidenceIn(folder), []).base64);
    plan.rows.forEach((row, i) => {
      expect(ttftOf(placements, i)).toBeCloseTo(row.ttftSeconds, 5);
      const own = explain(placements, i).options.find((option) => option.chosen)!;
      const price = plan.header.tiers.find((tier) => tier.name === row.tier)?.price ?? 0;
      expect(own.netSeconds).toBeCloseTo(
        row.accesses * (row.quality - row.ttftSeconds) - price * row.storedBytes,
        2,
      );
    });
  });

  it('finds the rate of access at which another option takes over', async () => {
    const { placements } = unpack(packData(await evidenceIn(await resultsFolder()), []).base64);
    const { flip, options } = explain(placements, 0);
    const at = { ...placements, accesses: placements.accesses.map((f, i) => (i === 0 ? flip!.accesses : f)) };
    const then = explain(at, 0).options;
    const net = (name: string) => then.find((option) => option.name === name)!.netSeconds;
    expect(flip!.to).not.toBe(options.find((option) => option.chosen)!.name);
    expect(net(flip!.to)).toBeCloseTo(net(options.find((option) => option.chosen)!.name), 9);
  });
});

describe('provenance', () => {
  it('says for every number how it is known, when and by which command', async () => {
    const rows = provenanceOf(await evidenceIn(await resultsFolder()));
    expect(rows.map((row) => row.what)).toEqual([
      'tier dram',
      'tier ssd',
      'model llama-3.1-8b',
      'quality of compression',
      'plan, bound and prices',
      'replay',
      'capacity curve',
    ]);
    for (const row of rows) {
      expect(row.known).toMatch(/measured|reference|assumed|computed|simulated/);
      expect(row.when).not.toBe('');
      expect(row.command).toMatch(/^evicpress /);
    }
  });
});

describe('where nothing is there', () => {
  it('says what to do', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'evicpress-empty-'));
    const here = process.cwd();
    process.chdir(empty);
    try {
      await expect(gatherEvidence({}, {})).rejects.toThrow('Make a plan first');
    } finally {
      process.chdir(here);
    }
  });
});

describe('the Pareto front', () => {
  it('keeps what nothing beats in both directions, ties included', () => {
    const points: [number, number][] = [
      [1, 1],
      [2, 3],
      [2, 3],
      [3, 2],
      [4, 5],
    ];
    const front = paretoFront(
      points,
      ([cost]) => cost,
      ([, worth]) => worth,
    );
    expect(front).toEqual([
      [1, 1],
      [2, 3],
      [2, 3],
      [4, 5],
    ]);
  });
});
