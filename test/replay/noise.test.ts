import { describe, expect, it } from 'vitest';
import type { SeriesPoint } from '../../src/formats/replay.js';
import { MEAN_TTFT, withinNoise } from '../../src/replay/noise.js';

const series = (...ttfts: readonly number[]): SeriesPoint[] =>
  ttfts.map((meanTtftSeconds, i) => ({
    startSeconds: 60 * i,
    requests: 10 + i,
    hitShare: 0.5,
    meanTtftSeconds,
    meanQuality: 1,
  }));

const base = [1, 2, 3, 4, 5, 4, 3, 2, 1, 2, 3, 4];

describe('the bootstrap over windows', () => {
  it('calls a difference that has one sign in every window real, however small', () => {
    expect(withinNoise(series(...base), series(...base.map((x) => 1.001 * x)), MEAN_TTFT)).toBe(false);
  });

  it('calls a difference noise that changes its sign, and no difference at all', () => {
    const other = base.map((x, i) => x + (i % 2 === 0 ? 0.5 : -0.5));
    expect(withinNoise(series(...base), series(...other), MEAN_TTFT)).toBe(true);
    expect(withinNoise(series(...base), series(...base), MEAN_TTFT)).toBe(true);
  });

  it('calls a difference noise that one window makes', () => {
    const other = base.map((x, i) => (i === 4 ? 2 * x : x));
    expect(withinNoise(series(...base), series(...other), MEAN_TTFT)).toBe(true);
  });

  it('says nothing of a few windows, or of windows that do not match', () => {
    expect(withinNoise(series(1, 2), series(2, 3), MEAN_TTFT)).toBeUndefined();
    expect(withinNoise(series(...base), series(1, 2), MEAN_TTFT)).toBeUndefined();
  });
});
