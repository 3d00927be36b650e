import { transferSeconds } from '../cost/transfer.js';
import type { Transfer } from '../formats/tiers.js';
import { mean, type Sample } from './fit.js';

/** A point as it was measured: the seconds of every wave, in order. */
export interface TimedWaves extends Omit<Sample, 'seconds'> {
  readonly waves: readonly number[];
}

/** A drop in speed, as of a volume whose burst credit is used up. */
export interface Burst {
  /** So many waves came before the drop. */
  readonly waves: number;
  readonly fastBytesPerSecond: number;
  readonly slowBytesPerSecond: number;
}

/** A drop counts from this factor on. */
const BURST_FACTOR = 1.5;
/** On either side of a drop: what is shorter says nothing. */
const LEAST_WAVES = 3;
const LEAST_SECONDS = 0.05;

/**
 * Finds a burst: the wave after which transfers take clearly longer than the law says, with both sides steadier than
 * the step between them. Sizes and streams are shuffled, so that size cannot pass for time.
 * @param points in the order they were measured.
 */
export function findBurst(points: readonly TimedWaves[], law: Transfer): Burst | undefined {
  const residuals = points.flatMap(({ bytes, streams, waves }) => {
    const expected = transferSeconds(law, bytes, streams);
    return waves.map((seconds) => Math.log(seconds / expected));
  });
  const split = bestSplit(residuals);
  if (split === undefined) return undefined;
  const [before, after] = [residuals.slice(0, split), residuals.slice(split)];
  const step = mean(after) - mean(before);
  if (step < Math.log(BURST_FACTOR)) return undefined;
  if ((deviation(before) + deviation(after)) / residuals.length > step / 3) return undefined;
  const [fast, slow] = [totals(points, 0, split), totals(points, split, residuals.length)];
  if (Math.min(fast.seconds, slow.seconds) < LEAST_SECONDS) return undefined;
  return {
    waves: split,
    fastBytesPerSecond: fast.bytes / fast.seconds,
    slowBytesPerSecond: slow.bytes / slow.seconds,
  };
}

/** The points without their first `count` waves. */
export function withoutWaves<T extends TimedWaves>(points: readonly T[], count: number): T[] {
  let before = 0;
  return points.flatMap((point) => {
    const waves = point.waves.slice(Math.max(0, count - before));
    before += point.waves.length;
    return waves.length === 0 ? [] : [{ ...point, waves }];
  });
}

/** The place that leaves the least squares around the means of both sides. */
function bestSplit(values: readonly number[]): number | undefined {
  const total = values.reduce((sum, value) => sum + value, 0);
  let best: { at: number; explained: number } | undefined;
  let left = 0;
  values.forEach((value, i) => {
    left += value;
    const [n, rest] = [i + 1, values.length - i - 1];
    if (n < LEAST_WAVES || rest < LEAST_WAVES) return;
    const explained = left ** 2 / n + (total - left) ** 2 / rest;
    if (best === undefined || explained > best.explained) best = { at: n, explained };
  });
  return best?.at;
}

/** Sum of absolute deviations from the mean. */
function deviation(values: readonly number[]): number {
  const centre = mean(values);
  return values.reduce((sum, value) => sum + Math.abs(value - centre), 0);
}

/** What the waves of a range moved, and how long they took. */
function totals(points: readonly TimedWaves[], from: number, to: number) {
  let [bytes, seconds, at] = [0, 0, 0];
  for (const point of points) {
    for (const wave of point.waves) {
      if (at >= from && at < to) {
        bytes += point.bytes * point.streams;
        seconds += wave;
      }
      at++;
    }
  }
  return { bytes, seconds };
}
