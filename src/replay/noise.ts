import type { SeriesPoint } from '../formats/replay.js';

const RESAMPLES = 1000;
const CONFIDENCE = 0.95;
/** With fewer windows than this a bootstrap says nothing. */
const FEWEST_WINDOWS = 8;

/** A figure of a run as a ratio of sums over windows. */
export interface WindowedFigure {
  readonly value: (window: SeriesPoint) => number;
  readonly weight: (window: SeriesPoint) => number;
}

/** Share of reusable tokens that were found, per window. */
export const HIT_SHARE: WindowedFigure = {
  value: (window) => window.hitShare,
  weight: (window) => window.reusableTokens ?? window.requests,
};
/** Mean TTFT in seconds, per window. */
export const MEAN_TTFT: WindowedFigure = {
  value: (window) => window.meanTtftSeconds,
  weight: (window) => window.requests,
};
/** Mean quality of what was served, per window. */
export const MEAN_QUALITY: WindowedFigure = {
  value: (window) => window.meanQuality,
  weight: (window) => window.requests,
};

/**
 * Whether the difference of two policies on one log is noise: whether zero lies in the interval that holds 95 %
 * of the differences when the log's time windows are drawn anew with replacement. Undefined with fewer than 8
 * windows. Windows of a log are not independent, so real noise is larger than this says.
 */
export function withinNoise(
  a: readonly SeriesPoint[],
  b: readonly SeriesPoint[],
  figure: WindowedFigure,
): boolean | undefined {
  const windows = a.length;
  if (windows < FEWEST_WINDOWS || b.length !== windows) return undefined;
  const weights = Float64Array.from(a, figure.weight);
  const gaps = Float64Array.from(a, (point, i) => weights[i]! * (figure.value(point) - figure.value(b[i]!)));
  const draws = new Float64Array(RESAMPLES);
  let seed = 0x9e3779b9;
  for (let i = 0; i < RESAMPLES; i++) {
    let gap = 0;
    let weight = 0;
    for (let k = 0; k < windows; k++) {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      const drawn = (seed >>> 0) % windows;
      gap += gaps[drawn]!;
      weight += weights[drawn]!;
    }
    draws[i] = weight > 0 ? gap / weight : 0;
  }
  draws.sort();
  const tail = Math.floor(((1 - CONFIDENCE) / 2) * RESAMPLES);
  return draws[tail]! <= 0 && draws[RESAMPLES - 1 - tail]! >= 0;
}
