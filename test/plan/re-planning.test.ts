import { describe, expect, it } from 'vitest';
import { totalUtility } from '../../src/plan/baseline.js';
import { storedBytesOf } from '../../src/plan/choice-costs.js';
import { KEEP_NOTHING, type Problem } from '../../src/plan/problem.js';
import { couplingRows, totalUse, withinLimits } from '../../src/plan/rows.js';
import { dual } from '../../src/plan/solvers/dual.js';
import { drifted, ordinaryInstance } from '../support/instances.js';

const GB = 1e9;

/** Bytes a change of plan writes, and all that the plan stores. */
function writtenBytes(problem: Problem, before: Int32Array, after: Int32Array) {
  const count = problem.forms.storedBytes.length;
  let written = 0;
  let stored = 0;
  after.forEach((choice, i) => {
    if (choice === KEEP_NOTHING) return;
    const bytes = storedBytesOf(problem, i, choice % count);
    stored += bytes;
    if (choice !== before[i]) written += bytes;
  });
  return { written, stored };
}

describe.each([1, 2])('after a tenth of the rates drifted (seed %i)', async (seed) => {
  const problem = ordinaryInstance({ contexts: 5000, seed });
  const inForce = await dual.solve(problem);
  const after = drifted(problem, 0.1, seed);
  const free = await dual.solve(after, { start: inForce.prices });
  const replanned = async (secondsPerGb: number) => {
    const charged = { ...after, inForce: inForce.choices, movingSecondsPerByte: secondsPerGb / GB };
    return (await dual.solve(charged, { start: inForce.prices })).choices;
  };

  it.each([0.1, 0.3])(
    '%d s per GB move at most 1 % of the bytes for 1e-3 of the span',
    async (secondsPerGb) => {
      const choices = await replanned(secondsPerGb);
      const { written, stored } = writtenBytes(after, inForce.choices, choices);
      expect(written).toBeLessThanOrEqual(0.01 * stored);
      const lost = free.bound - totalUtility(after, choices);
      expect(lost).toBeLessThanOrEqual(1e-3 * (free.bound - free.baseline));
    },
  );

  it('the dearer moving is, the less is moved', async () => {
    const moved: number[] = [];
    for (const secondsPerGb of [0, 0.01, 0.1, 0.3, 10])
      moved.push(writtenBytes(after, inForce.choices, await replanned(secondsPerGb)).written);
    for (let k = 1; k < moved.length; k++) expect(moved[k]!).toBeLessThanOrEqual(moved[k - 1]!);
  });
});

describe('prices in force', async () => {
  const problem = ordinaryInstance({ contexts: 45_000, seed: 3, named: false });
  const after = drifted(problem, 0.1);
  const { prices } = await dual.solve(problem);
  const cold = await dual.solve(after);
  const span = cold.bound - cold.baseline;

  it.each([
    ['near the new ones', 1],
    ['far from them', 1.5],
    ['without any likeness', 0],
  ])('%s lead to the same bound as none', async (_, factor) => {
    const warm = await dual.solve(after, { start: prices.map((price) => price * factor) });
    expect(Math.abs(warm.relaxationBound - cold.relaxationBound)).toBeLessThan(1e-9 * span);
    expect(warm.bound - warm.utility).toBeLessThan(1e-6 * span);
    const rows = couplingRows(after);
    expect(withinLimits(rows, totalUse(after, rows, warm.choices))).toBe(true);
  });
});
