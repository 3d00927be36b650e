import { describe, expect, it } from 'vitest';
import { planMeans } from '../../src/plan/make-plan.js';
import { dual } from '../../src/plan/solvers/dual.js';
import { solveForTarget } from '../../src/plan/targets.js';
import { forEveryPlan } from '../support/brute-force.js';
import { randomFrom } from '../support/instances.js';
import { smallInstance } from '../support/small-instance.js';

const SEEDS = Array.from({ length: 24 }, (_, seed) => seed);

/** A small instance and the means of all its plans. */
function instanceOf(seed: number) {
  const problem = smallInstance(seed, 5, seed % 2 === 1);
  const all: ReturnType<typeof planMeans>[] = [];
  forEveryPlan(problem, (choices) => all.push(planMeans(problem, choices)));
  const reached = async (target: Parameters<typeof solveForTarget>[1]) => {
    const { problem: solved, solution } = await solveForTarget(problem, target, dual);
    return planMeans(solved, solution.choices);
  };
  return { all, reached, random: randomFrom(seed + 100) };
}

describe('a mean quality', () => {
  it.each(SEEDS)('is met within 1e-3 where a plan does, at the least TTFT (seed %i)', async (seed) => {
    const { all, reached, random } = instanceOf(seed);
    const best = Math.max(...all.map(({ meanQuality }) => meanQuality));
    const worst = Math.min(...all.map(({ meanQuality }) => meanQuality));
    for (const wanted of [best, worst + random() * (best - worst)]) {
      const above = all.filter(({ meanQuality }) => meanQuality >= wanted - 1e-12);
      const near = above.filter(({ meanQuality }) => meanQuality <= wanted + 1e-3);
      const least = Math.min(
        ...(near.length > 0 ? near : above).map(({ meanTtftSeconds }) => meanTtftSeconds),
      );
      const { meanQuality, meanTtftSeconds } = await reached({ meanQuality: wanted });
      expect(meanQuality).toBeGreaterThanOrEqual(wanted - 1e-12);
      if (near.length > 0) expect(meanQuality).toBeLessThanOrEqual(wanted + 1e-3 + 1e-12);
      expect(meanTtftSeconds).toBeLessThanOrEqual(least * (1 + 1e-9));
    }
  });
});

describe('a mean TTFT', () => {
  it.each(SEEDS)('is met down to the least there is, at the highest quality (seed %i)', async (seed) => {
    const { all, reached, random } = instanceOf(seed);
    const least = Math.min(...all.map(({ meanTtftSeconds }) => meanTtftSeconds));
    for (const wanted of [least, least * (1 + 1e-7), least * (1 + 3 * random())]) {
      const inTime = all.filter(({ meanTtftSeconds }) => meanTtftSeconds <= wanted);
      const best = Math.max(...inTime.map(({ meanQuality }) => meanQuality));
      const { meanQuality, meanTtftSeconds } = await reached({ maxMeanTtftSeconds: wanted });
      expect(meanTtftSeconds).toBeLessThanOrEqual(wanted * (1 + 1e-9));
      expect(meanQuality).toBeGreaterThanOrEqual(best - 1e-9);
    }
  });
});
