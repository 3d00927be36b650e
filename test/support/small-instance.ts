import type { Demand } from '../../src/formats/demand.js';
import { fitCurves } from '../../src/plan/curves.js';
import { buildProblem, type Problem } from '../../src/plan/problem.js';
import { classRows, randomFrom, TEST_MODEL, tier } from './instances.js';

/**
 * A small instance drawn from a seed: rough sizes, ties, zero capacities, giants.
 * @param between finite tiers between the fastest and the slowest.
 */
export function smallInstance(seed: number, contexts: number, withParents: boolean, between = 0): Problem {
  const random = randomFrom(seed);
  const n = contexts;
  const size = () => Math.round(10 ** (random() * 3)) * 1e6;
  const fullBytes = Float64Array.from({ length: n }, () => (random() < 0.3 ? 1e9 : size()));
  const parents = Int32Array.from({ length: n }, (_, i) =>
    withParents && i > 0 && random() < 0.7 ? Math.floor(random() * i) : -1,
  );
  const demand: Demand = {
    contexts: n,
    ids: Array.from({ length: n }, (_, i) => `c${i}`),
    tokens: fullBytes.map((bytes) => bytes / TEST_MODEL.kvBytesPerToken),
    startTokens: new Float64Array(n),
    fullBytes,
    accesses: Float64Array.from({ length: n }, () => (random() < 0.2 ? 0 : 10 ** (3 * random() - 1))),
    requestShare: Float64Array.from({ length: n }, () => (random() < 0.5 ? 1 : 0.1 + 0.9 * random())),
    parents,
    classOf: Int32Array.from({ length: n }, () => Math.floor(random() * 2)),
    classes: ['class-0', 'class-1'],
    tenantOf: new Int32Array(n).fill(-1),
    tenants: [],
    periodSeconds: 100,
  };
  const total = fullBytes.reduce((sum, bytes) => sum + bytes, 0);
  const capacity = () => (random() < 0.15 ? 0 : Math.round(total * random()));
  const tiers = [
    tier('dram', capacity(), 20e9, 0.001),
    ...Array.from({ length: between }, (_, t) =>
      tier(`tier-${t}`, capacity(), 9e9 / (t + 1), 0.002 * (t + 1)),
    ),
    tier('ssd', random() < 0.3 ? null : capacity(), 2e9, 0.01 * random()),
  ];
  const alpha = [0, 0.01, 1, 100][Math.floor(random() * 4)]!;
  return buildProblem(
    demand,
    tiers,
    TEST_MODEL,
    fitCurves(classRows(2, withParents ? 2 : 1, [0.5, 0.9], random)),
    { alpha },
  );
}
