/** A normal law of a vector. */
export interface Gaussian {
  readonly mean: Float64Array;
  /** Covariances, row by row; symmetric. */
  readonly covariance: Float64Array;
}

/** A reading of one component: its value, and the variance of the reading's error. */
export interface Reading {
  readonly place: number;
  readonly value: number;
  readonly variance: number;
}

/**
 * The law given some readings with independent errors: one reading after the other, each a Kalman update of rank
 * one. The order of the readings does not matter beyond rounding.
 */
export function condition(prior: Gaussian, readings: readonly Reading[]): Gaussian {
  const mean = prior.mean.slice();
  const covariance = prior.covariance.slice();
  const size = mean.length;
  for (const { place, value, variance } of readings) {
    const known = covariance.slice(place * size, (place + 1) * size);
    const total = known[place]! + variance;
    // What is certain learns nothing.
    if (total <= LEAST_VARIANCE) continue;
    const surprise = value - mean[place]!;
    for (let i = 0; i < size; i++) {
      const gain = known[i]! / total;
      if (gain === 0) continue;
      mean[i]! += gain * surprise;
      for (let k = 0; k < size; k++) covariance[i * size + k]! -= gain * known[k]!;
    }
  }
  return { mean, covariance };
}

const LEAST_VARIANCE = 1e-12;
