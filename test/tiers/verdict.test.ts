import { describe, expect, it } from 'vitest';
import { planPass } from '../../src/tiers/schedule.js';
import { type Evidence, judge } from '../../src/tiers/verdict.js';

const QUIET: Evidence = {
  direction: 'read',
  heldOutError: 0.02,
  passError: 0.03,
  spread: 0.1,
  rSquared: 0.998,
};
const IDLE = { stolenShare: 0, cpuPressure: 0 };

describe('judge', () => {
  it('finds a quiet device good', () => {
    expect(judge([QUIET], IDLE, [])).toEqual({ level: 'good', reasons: [] });
  });

  it.each([
    ['heldOutError', 0.3, /left out of the fit are off by 30\.0 %/],
    ['passError', 0.5, /two passes differ by 50\.0 %/],

    ['rSquared', 0.3, /explains only 0\.30 of the variance/],
  ])('names %s when it fails', (field, value, reason) => {
    const verdict = judge([{ ...QUIET, [field]: value }], IDLE, []);
    expect(verdict.level).toBe('bad');
    expect(verdict.reasons.join()).toMatch(reason);
  });

  it('finds a device noisy, no worse, whose single transfers vary around a steady mean', () => {
    const { level, reasons } = judge([{ ...QUIET, spread: 0.9 }], IDLE, []);
    expect(level).toBe('noisy');
    expect(reasons).toEqual([expect.stringMatching(/spread by 90\.0 %/)]);
  });

  it('blames the processor where the transfers waited for it', () => {
    const busy = { stolenShare: 0, cpuPressure: 0.3 };
    expect(judge([QUIET], busy, [])).toEqual({
      level: 'bad',
      reasons: ['the transfers waited for a processor in 30.0 % of the time'],
    });
  });

  it('calls nothing good that another run would not repeat within 5 %', () => {
    expect(judge([{ ...QUIET, passError: 0.06 }], IDLE, []).level).toBe('noisy');
    const again = judge([{ ...QUIET, runError: 0.3001 }], IDLE, []);
    expect(again).toMatchObject({
      level: 'bad',
      reasons: [expect.stringMatching(/an earlier run was off by 30\.0 %/)],
    });
  });
});

describe('planPass', () => {
  const sizes = [1e6, 4e6, 16e6, 64e6, 256e6];

  it('takes every point where there is time', () => {
    expect(planPass(sizes, [1, 2, 4, 8], 4e9, 10, 10e9, 0).points).toHaveLength(20);
  });

  it('gives up the largest waves of a slow device, but keeps three sizes of one stream', () => {
    const { points, essential } = planPass(sizes, [1, 2, 4, 8], 4e9, 2, 50e6, 0);
    const seconds = points.reduce((sum, point) => sum + (point.bytes * point.streams) / 50e6, 0);
    expect(seconds).toBeLessThan(2);
    expect([...essential].map((point) => point.bytes)).toEqual([1e6, 4e6, 16e6]);
    expect(points).toEqual(expect.arrayContaining([...essential]));
    expect(planPass(sizes, [1, 2, 4, 8], 4e9, 2, 1e3, 0).points).toHaveLength(3);
  });

  it('gives up points where each costs much beside its waves', () => {
    const { points } = planPass(sizes, [1, 2, 4, 8], 4e9, 10, 10e9, 1);
    expect(points.length).toBeLessThan(10);
  });

  it('never asks for more than a device can hold', () => {
    const { points } = planPass(sizes, [1, 8], 256e6, 100, 1e9, 0);
    expect(Math.max(...points.map((point) => point.bytes * point.streams))).toBeLessThanOrEqual(256e6);
  });
});
