import { randomOf } from './requests.js';

export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 10_000;

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The value below which a share of the values lies, nearest rank. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]!;
}

/**
 * mean(slow) / mean(fast) over the same requests, with a 90 % interval: percentile bootstrap over whole requests,
 * so that what a request costs by its nature is in both means.
 */
export function ratioOfMeans(slow: readonly number[], fast: readonly number[], seed: number): Interval {
  const random = randomOf(seed);
  const ratios = Array.from({ length: RESAMPLES }, () => {
    let [above, below] = [0, 0];
    for (let k = 0; k < slow.length; k++) {
      const i = Math.floor(random() * slow.length);
      above += slow[i]!;
      below += fast[i]!;
    }
    return above / below;
  });
  return { estimate: mean(slow) / mean(fast), low: quantile(ratios, 0.05), high: quantile(ratios, 0.95) };
}
