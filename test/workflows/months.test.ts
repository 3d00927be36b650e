import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { MethodRow } from '../../src/formats/methods.js';
import type { Plan } from '../../src/formats/plan.js';
import { readPlan } from '../../src/formats/plan.js';
import { fitCurves } from '../../src/plan/curves.js';
import { compressionOf } from '../../src/replay/compression.js';
import { LogFacts } from '../../src/replay/log-facts.js';
import { policyRun } from '../../src/replay/runs.js';
import { replay } from '../../src/replay/simulator.js';
import { loadTrace } from '../../src/traces/load.js';
import { scorePlan } from '../../src/workflows/refresh/compare.js';
import type { TurnInputs } from '../../src/workflows/refresh/options.js';
import { refreshTurn } from '../../src/workflows/refresh/turn.js';
import { TEST_MODEL, tier } from '../support/instances.js';
import { scratchFolder, testOptions, testTools } from './refreshing.js';
import { OFFICE, requestLines } from './workload.js';

const DAYS = Number(process.env.EVICPRESS_MONTHS_DAYS ?? 16);
const REQUESTS_PER_DAY = 150;
const ALPHA = 2;
/** When what happens, as shares of the time simulated. */
const NEW_TENANT = 0.25;
const SLOW_TIER = 0.5;
const OTHER_MODEL = 0.75;

const LAB = { ...OFFICE, firstBlock: 600_000, class: 'lab', documents: 40 };

/** Office documents bear compression, those of the lab do not. */
const METHODS: MethodRow[] = (
  [
    ['office', 0.99, 0.97],
    ['lab', 0.7, 0.4],
    [undefined, 0.95, 0.9],
  ] as const
).flatMap(([name, half, most]) =>
  [
    { ratio: 0.5, quality: half },
    { ratio: 0.8, quality: most },
  ].map(({ ratio, quality }) => ({
    context: '*',
    ...(name === undefined ? {} : { class: name }),
    fullBytes: 1e9,
    method: 'dropping',
    compressionRatio: ratio,
    storedBytes: (1 - ratio) * 1e9,
    quality,
    queries: 20,
  })),
);

/** The machine as it really is on a day; the profile says what it was on the first. */
function truth(share: number): TurnInputs {
  const ssd = tier('ssd', 20e9, share < SLOW_TIER ? 3e9 : 1.5e9, 0.001);
  const model =
    share < OTHER_MODEL ? TEST_MODEL : { ...TEST_MODEL, name: 'test-16b', kvBytesPerToken: 196_608 };
  return {
    tiers: [tier('dram', 4e9, 20e9), ssd].map((entry) => ({ ...entry, source: 'measured' as const })),
    model,
    methods: METHODS,
    files: [{ path: 'tiers.json', sha256: 'a' }],
    warnings: [],
  };
}

/** One day's requests: popularity moves on, from a quarter on half of the load is a new tenant's. */
function dayOfRequests(day: number): string {
  const at = { startSeconds: day * 86_400, gapSeconds: 60, seed: day + 1 };
  const office = { ...OFFICE, shift: 3 * day };
  if (day / DAYS < NEW_TENANT) return requestLines(office, REQUESTS_PER_DAY, at);
  const [some, others] = [office, { ...LAB, shift: day }].map((workload) =>
    requestLines(workload, REQUESTS_PER_DAY / 2, { ...at, gapSeconds: 120 }).split('\n'),
  );
  return some!
    .flatMap((line, i) => (line === '' ? [] : [line, others![i]!]))
    .map((line) => `${line}\n`)
    .join('');
}

interface Figures {
  quality: number;
  ttft: number;
}

it('rolling plans beat a frozen plan and LRU over months of drift, without moving the world', {
  timeout: 600_000,
}, async () => {
  const options = testOptions(scratchFolder(), {
    alpha: ALPHA,
    halfLifeSeconds: 86_400,
    window: { requests: 1200, bytes: 1e9 },
    solver: 'greedy-per-byte',
    probeEverySeconds: 3600,
    minGain: 0.01,
  });
  let day = 0;
  const profile = (share: number) => ({ ...truth(share), tiers: truth(0).tiers });
  const tools = testTools(() => profile(day / DAYS), {
    now: () => new Date(Date.parse('2026-01-01T00:00:00Z') + day * 86_400_000),
    identity: async () => ({ model: profile(day / DAYS).model.name }),
    measureTier: async ({ name }) => truth(day / DAYS).tiers.find((entry) => entry.name === name)!,
  });
  const inForce = join(options.folder, 'in-force.ndjson');
  writeFileSync(options.log, dayOfRequests(0));
  await refreshTurn(options, tools);
  const frozen = await readPlan(inForce);
  const days: { rolling: Figures; frozen: Figures; lru: Figures; moved: number }[] = [];
  for (day = 1; day < DAYS; day++) {
    // The day is served under the plans as they stand in the morning, with the caches of the last days.
    const rolling = await readPlan(inForce);
    const recent = join(options.folder, '..', 'recent.jsonl');
    const from = Math.max(0, day - 4);
    writeFileSync(recent, Array.from({ length: day - from + 1 }, (_, i) => dayOfRequests(from + i)).join(''));
    const trace = await loadTrace(recent, { blockTokens: 512 });
    const setting = { trace, ...truth(day / DAYS), warm: trace.requests - REQUESTS_PER_DAY };
    const under = (plan: Plan): Figures => {
      const { meanQuality, meanTtftSeconds } = scorePlan(plan, setting, ALPHA);
      return { quality: meanQuality, ttft: meanTtftSeconds };
    };
    const compression = compressionOf(trace, fitCurves(METHODS));
    const lru = replay(
      { ...setting, facts: new LogFacts(trace), compression },
      policyRun('lru', trace, compression),
    ).result;
    appendFileSync(options.log, dayOfRequests(day));
    const { outcome, candidate } = await refreshTurn(options, tools);
    days.push({
      rolling: under(rolling),
      frozen: under(frozen),
      lru: { quality: lru.meanQuality, ttft: lru.ttft.mean },
      moved: outcome === 'published' ? candidate!.comparison!.bytesToMove : 0,
    });
  }
  const mean = (who: 'rolling' | 'frozen' | 'lru', what: keyof Figures, of = days) =>
    of.reduce((sum, figures) => sum + figures[who][what], 0) / of.length;
  const worth = (who: 'rolling' | 'frozen' | 'lru', of = days) =>
    ALPHA * mean(who, 'quality', of) - mean(who, 'ttft', of);
  const capacityBytes = truth(0).tiers.reduce((sum, entry) => sum + entry.capacityBytes!, 0);
  const movedShare = days.reduce((sum, { moved }) => sum + moved, 0) / days.length / capacityBytes;
  if (process.env.EVICPRESS_MONTHS_SHOW !== undefined)
    console.log({
      rolling: worth('rolling'),
      frozen: worth('frozen'),
      lru: worth('lru'),
      movedSharePerDay: movedShare,
    });
  expect(worth('rolling')).toBeGreaterThan(worth('frozen'));
  expect(worth('rolling')).toBeGreaterThan(worth('lru'));
  // Plans change as the load does; what is stored mostly stays where it is.
  expect(movedShare).toBeLessThan(0.1);
});
