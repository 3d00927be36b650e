import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Demand } from '../../src/plan/demand.js';
import { type PlanRequest, planContexts, problemOf } from '../../src/plan/plan-contexts.js';
import { couplingRows, totalUse, withinLimits } from '../../src/plan/rows.js';
import { solverNamed } from '../../src/plan/solvers/index.js';
import { bruteForce } from '../support/brute-force.js';
import { classRows, randomFrom, TEST_MODEL, tier } from '../support/instances.js';

const GB = 1e9;
const MONTH = (365.25 / 12) * 86_400;

function demandOf(contexts: number, random: () => number, changes: Partial<Demand> = {}): Demand {
  const fullBytes = Float64Array.from({ length: contexts }, () => Math.round(10 ** (2 * random())) * 1e8);
  return {
    contexts,
    ids: Array.from({ length: contexts }, (_, i) => `c${i}`),
    tokens: fullBytes.map((bytes) => bytes / TEST_MODEL.kvBytesPerToken),
    startTokens: new Float64Array(contexts),
    fullBytes,
    accesses: Float64Array.from({ length: contexts }, () => 10 ** (2 * random())),
    requestShare: new Float64Array(contexts).fill(1),
    parents: new Int32Array(contexts).fill(-1),
    classOf: Int32Array.from({ length: contexts }, (_, i) => i % 2),
    classes: ['class-0', 'class-1'],
    tenantOf: Int32Array.from({ length: contexts }, (_, i) => i % 2),
    tenants: ['acme', 'bolt'],
    periodSeconds: 86_400,
    ...changes,
  };
}

function requestOf(demand: Demand, random: () => number, changes: Partial<PlanRequest> = {}): PlanRequest {
  const total = demand.fullBytes.reduce((sum, bytes) => sum + bytes, 0);
  return {
    demand,
    tiers: [
      { ...tier('dram', total * random(), 20 * GB, 0.001), pricePerGbMonth: 4 },
      { ...tier('ssd', null, 2 * GB, 0.002), pricePerGbMonth: 0.1 },
    ],
    model: TEST_MODEL,
    methods: classRows(2, 1, [0.5], random),
    alpha: 1,
    solver: 'exact',
    ...changes,
  };
}

describe('budgets', () => {
  it('are kept, and the optimum within them is that of brute force', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1e6 }),
        fc.integer({ min: 0, max: 7 }),
        async (seed, which) => {
          const random = randomFrom(seed);
          const demand = demandOf(5, random);
          const total = demand.fullBytes.reduce((sum, bytes) => sum + bytes, 0);
          const request = requestOf(demand, random, {
            ...(which & 1 ? { tenantShares: [{ tenant: 'acme', tier: 'dram', share: random() }] } : {}),
            ...(which & 2 ? { writtenBytesPerDay: { ssd: total * (0.05 + random()) } } : {}),
            ...(which & 4 ? { moneyPerMonth: (total / GB) * (0.05 + 2 * random()) } : {}),
          });
          const problem = problemOf(request);
          const solution = await solverNamed('exact').solve(problem);
          const rows = couplingRows(problem);
          expect(withinLimits(rows, totalUse(problem, rows, solution.choices))).toBe(true);
          const optimum = bruteForce(problem);
          const small = 1e-9 * Math.max(1, Math.abs(optimum));
          expect(solution.utility).toBeGreaterThanOrEqual(optimum - small);
          expect(solution.bound).toBeGreaterThanOrEqual(optimum - small);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("hold a tenant to its share of a tier, and say what the share's next byte is worth", async () => {
    const random = randomFrom(3);
    const demand = demandOf(40, random);
    const share = { tenant: 'acme', tier: 'dram', share: 0.1 };
    const { header, rows } = await planContexts(requestOf(demand, random, { tenantShares: [share] }));
    const ofAcme = [...rows()]
      .filter((row, i) => row.tier === 'dram' && demand.tenantOf[i] === 0)
      .reduce((sum, row) => sum + row.storedBytes, 0);
    const [limit] = header.limits!;
    expect(limit).toMatchObject({ kind: 'tenant', tenant: 'acme', tier: 'dram', used: ofAcme });
    expect(ofAcme).toBeLessThanOrEqual(0.1 * header.tiers[0]!.capacityBytes!);
    expect(limit!.price).toBeGreaterThan(0);
  });

  it('of writes count what is not there already', async () => {
    const random = randomFrom(4);
    const demand = demandOf(30, random);
    const request = requestOf(demand, random);
    const first = await planContexts(request);
    const again = await planContexts({
      ...request,
      previous: first.header,
      previousRows: [...first.rows()],
      writtenBytesPerDay: { ssd: 1e6, dram: 1e6 },
    });
    expect([...again.rows()]).toEqual([...first.rows()]);
    expect(again.header.limits!.map(({ used }) => used)).toEqual([0, 0]);
  });

  it('are kept where that costs all there is to win, a thousandth beyond a limit', async () => {
    const random = randomFrom(1);
    const demand = demandOf(2, random, { fullBytes: Float64Array.of(0.501 * GB, 0.5 * GB) });
    const lossy = { context: '*', fullBytes: GB, method: 'lossy', compressionRatio: 0.01 };
    const request = requestOf(demand, random, {
      tiers: [tier('dram', GB, 20 * GB)],
      methods: [{ ...lossy, storedBytes: 0.99 * GB, quality: 0 }],
      forbidden: ['recompute'],
      alpha: 1000,
    });
    const qualities = [...(await planContexts(request)).rows()].map(({ quality }) => quality);
    expect(qualities.sort()).toEqual([0, 1]);
  });

  it('weigh moving where a target for the mean is solved for too', async () => {
    const random = randomFrom(9);
    const demand = demandOf(40, random);
    const request = requestOf(demand, random, { solver: 'dual' });
    const first = await planContexts({ ...request, target: { meanQuality: 0.95 } });
    const drifted = { ...demand, accesses: demand.accesses.map((rate) => rate * (0.5 + 1.5 * random())) };
    const again = (migrationSecondsPerGb: number) =>
      planContexts({
        ...request,
        demand: drifted,
        target: { maxMeanTtftSeconds: 10 },
        previous: first.header,
        previousRows: [...first.rows()],
        migrationSecondsPerGb,
      });
    const places = (plan: typeof first) =>
      [...plan.rows()].map(({ tier, method, compressionRatio }) => `${tier} ${method} ${compressionRatio}`);
    const written = (plan: typeof first) => {
      const before = places(first);
      return places(plan).filter((place, i) => place !== before[i] && !place.startsWith('recompute')).length;
    };
    expect(written(await again(0))).toBeGreaterThan(0);
    expect(written(await again(1e12))).toBe(0);
  });

  it('of money bound what the plan costs; money with a weight gives way to time and back', async () => {
    const random = randomFrom(5);
    const demand = demandOf(40, random);
    const request = requestOf(demand, random);
    const free = (await planContexts(request)).header;
    const half = (await planContexts({ ...request, moneyPerMonth: free.summary.moneyPerMonth! / 2 })).header;
    expect(half.summary.moneyPerMonth).toBeLessThanOrEqual(free.summary.moneyPerMonth! / 2);
    expect(half.summary.utility).toBeLessThan(free.summary.utility);
    // A plan at the weight that is the budget's price cannot beat the budget's plan by its own measure.
    const price = half.limits!.find(({ kind }) => kind === 'money')!.price;
    const weighted = (await planContexts({ ...request, secondsPerMoney: (price * MONTH) / 86_400 })).header;
    const net = ({ summary }: typeof free) => summary.utility - price * summary.moneyPerMonth!;
    expect(net(weighted)).toBeGreaterThanOrEqual(net(half) - 1e-6 * Math.abs(net(half)));
    expect(weighted.summary.bound).toBeGreaterThanOrEqual(weighted.summary.utility);
  });

  it('and floors by class leave the other class as it was', async () => {
    const random = randomFrom(6);
    const demand = demandOf(20, random);
    const rows = [
      ...(await planContexts(requestOf(demand, random, { minQualityOfClass: { 'class-0': 1 } }))).rows(),
    ];
    expect(rows.filter((_, i) => i % 2 === 0).every((row) => row.quality === 1)).toBe(true);
    expect(rows.some((row) => row.quality < 1)).toBe(true);
  });

  it.each([
    [{ tenantShares: [{ tenant: 'acne', tier: 'dram', share: 1 }] }, /Unknown tenant "acne".*acme/],
    [{ tenantShares: [{ tenant: 'acme', tier: 'drm', share: 1 }] }, /Unknown tier "drm".*dram/],
    [{ writtenBytesPerDay: { sssd: 1 } }, /Unknown tier "sssd".*ssd/],
    [{ minQualityOfClass: { 'class-9': 1 } }, /Unknown class "class-9"/],
  ])('name what is unknown: %o', async (changes, message) => {
    const random = randomFrom(7);
    await expect(planContexts(requestOf(demandOf(3, random), random, changes))).rejects.toThrow(message);
  });

  it('need a price for money, and a period for writes and loads', async () => {
    const random = randomFrom(8);
    const request = requestOf(demandOf(3, random, { periodSeconds: null }), random);
    const unpriced = { ...request, tiers: [tier('dram', GB, GB)], moneyPerMonth: 5 };
    await expect(planContexts(unpriced)).rejects.toThrow(/price of a tier/);
    await expect(planContexts({ ...request, writtenBytesPerDay: { ssd: GB } })).rejects.toThrow(
      /periodSeconds/,
    );
    await expect(planContexts({ ...request, bandwidthShare: 0.5 })).rejects.toThrow(/periodSeconds/);
  });
});
