import { transferSeconds } from '../cost/transfer.js';
import type { Transfer } from '../formats/tiers.js';

/** One point of a measurement: the mean seconds of a transfer of `bytes` while `streams` were under way. */
export interface Sample {
  readonly bytes: number;
  readonly streams: number;
  readonly seconds: number;
  /** Which of the spaced passes it belongs to, from 1. */
  readonly pass: number;
}

/** A relative error up to this counts squared, a larger one only linearly (Huber). */
const HUBER_RELATIVE_ERROR = 0.05;
/**
 * Of the time of the largest object that was measured, at least this share is put down to its bytes: sizes whose
 * times hardly grow say that a device is fast, not that it is a thousand times faster than anything it showed.
 */
const LEAST_TRANSFER_SHARE = 0.1;
/** A table must predict sizes it has not seen this much better than the affine law to be worth its points. */
const TABLE_ADVANTAGE = 0.8;
/** An affine law this good is kept whatever a table does. */
const GOOD_RELATIVE_ERROR = 0.05;

/** A law with what is known about how well it predicts. */
export interface FittedTransfer {
  readonly transfer: Transfer;
  /** Median relative error on sizes left out of the fit, or of the fit itself with fewer than three sizes. */
  readonly heldOutError: number;
  /** Share of the variance of the seconds that the law explains. */
  readonly rSquared: number;
}

/**
 * Fits latency + bytes / bandwidth for every number of streams, or a monotone log-log table where that predicts
 * sizes left out of the fit clearly better. Its errors are those of the cost model's own `transferSeconds`.
 * @param samples at least one; one stream among them.
 */
export function fitTransfer(samples: readonly Sample[]): FittedTransfer {
  const affine = affineTransfer(samples);
  const affineError = heldOutError(samples, affineTransfer);
  const tableError = heldOutError(samples, tableTransfer);
  const tableWins = affineError > GOOD_RELATIVE_ERROR && tableError < TABLE_ADVANTAGE * affineError;
  const law = tableWins ? tableTransfer(samples) : affine;
  const error = tableWins ? tableError : affineError;
  return {
    transfer: { ...law, medianRelativeError: rounded(error) },
    heldOutError: error,
    rSquared: rSquared(samples, law),
  };
}

function affineTransfer(samples: readonly Sample[]): Transfer {
  const laws = distinct(samples.map((sample) => sample.streams)).map((streams) => ({
    streams,
    ...fitAffine(samples.filter((sample) => sample.streams === streams)),
  }));
  const one = laws[0]!;
  return {
    latencySeconds: rounded(one.latencySeconds),
    bytesPerSecond: Math.round(one.bytesPerSecond),
    byStreams: laws.map(({ streams, latencySeconds, bytesPerSecond }) => ({
      streams,
      bytesPerSecond: Math.round(streams * bytesPerSecond),
      latencySeconds: rounded(latencySeconds),
    })),
  };
}

/** A table for every number of streams: a knee may lie elsewhere for several. */
function tableTransfer(samples: readonly Sample[]): Transfer {
  const affine = affineTransfer(samples);
  const tables = affine.byStreams!.map(({ streams }) =>
    monotoneTable(samples.filter((sample) => sample.streams === streams)),
  );
  return {
    ...affine,
    byStreams: affine.byStreams!.map((point, k) => ({ ...point, table: tables[k]! })),
    table: tables[0]!,
  };
}

/**
 * Latency ≥ 0 and bandwidth of one transfer under a Huber loss on the relative error, by reweighted least
 * squares. Dividing each equation by its seconds makes a megabyte count as much as a gigabyte.
 */
export function fitAffine(samples: readonly Pick<Sample, 'bytes' | 'seconds'>[]): {
  latencySeconds: number;
  bytesPerSecond: number;
} {
  let weights = samples.map(() => 1);
  let latency = 0;
  let perByte = 0;
  for (let round = 0; round < 50; round++) {
    [latency, perByte] = weightedAffine(samples, weights);
    weights = samples.map(({ bytes, seconds }) => {
      const error = Math.abs((latency + perByte * bytes) / seconds - 1);
      return error <= HUBER_RELATIVE_ERROR ? 1 : HUBER_RELATIVE_ERROR / error;
    });
  }
  return { latencySeconds: latency, bytesPerSecond: 1 / perByte };
}

function weightedAffine(
  samples: readonly Pick<Sample, 'bytes' | 'seconds'>[],
  weights: readonly number[],
): [latency: number, perByte: number] {
  let aa = 0;
  let ab = 0;
  let bb = 0;
  let ay = 0;
  let by = 0;
  samples.forEach(({ bytes, seconds }, i) => {
    const a = 1 / seconds;
    const b = bytes / seconds;
    const weight = weights[i]!;
    aa += weight * a * a;
    ab += weight * a * b;
    bb += weight * b * b;
    ay += weight * a;
    by += weight * b;
  });
  const determinant = aa * bb - ab * ab;
  // One size alone cannot tell latency from bandwidth: all of its time is put down to bandwidth.
  if (determinant <= 1e-12 * aa * bb) return [0, by / bb];
  const latency = (ay * bb - by * ab) / determinant;
  const perByte = (by * aa - ay * ab) / determinant;
  if (latency < 0) return [0, by / bb];
  const largest = Math.max(...samples.map((sample) => sample.bytes));
  const least = LEAST_TRANSFER_SHARE / (1 - LEAST_TRANSFER_SHARE) / largest;
  return perByte >= least * latency ? [latency, perByte] : inProportion(samples, weights, least);
}

/** The best law whose seconds per byte are so many times its latency. */
function inProportion(
  samples: readonly Pick<Sample, 'bytes' | 'seconds'>[],
  weights: readonly number[],
  perLatency: number,
): [latency: number, perByte: number] {
  let upper = 0;
  let lower = 0;
  samples.forEach(({ bytes, seconds }, i) => {
    const relative = (1 + perLatency * bytes) / seconds;
    upper += weights[i]! * relative;
    lower += weights[i]! * relative * relative;
  });
  return [upper / lower, (perLatency * upper) / lower];
}

/** Geometric mean of the seconds by size, made non-decreasing by pooling neighbours that contradict. */
export function monotoneTable(
  samples: readonly Pick<Sample, 'bytes' | 'seconds'>[],
): { bytes: number; seconds: number }[] {
  const pools: { sizes: number[]; log: number; count: number }[] = [];
  for (const bytes of distinct(samples.map((sample) => sample.bytes))) {
    const logs = samples.filter((sample) => sample.bytes === bytes).map((sample) => Math.log(sample.seconds));
    let pool = { sizes: [bytes], log: mean(logs), count: logs.length };
    for (let last = pools.at(-1); last !== undefined && last.log > pool.log; last = pools.at(-1)) {
      pools.pop();
      const count = last.count + pool.count;
      const log = (last.log * last.count + pool.log * pool.count) / count;
      pool = { sizes: [...last.sizes, ...pool.sizes], log, count };
    }
    pools.push(pool);
  }
  return pools.flatMap(({ sizes, log }) =>
    sizes.map((bytes) => ({ bytes, seconds: rounded(Math.exp(log)) })),
  );
}

/** Median relative error on each inner size, predicted from all the others. */
function heldOutError(samples: readonly Sample[], fit: (samples: readonly Sample[]) => Transfer): number {
  const inner = distinct(samples.map((sample) => sample.bytes)).slice(1, -1);
  if (inner.length === 0) return predictionError(fit(samples), samples);
  const errors = inner.flatMap((bytes) => {
    const law = fit(samples.filter((sample) => sample.bytes !== bytes));
    return relativeErrors(
      law,
      samples.filter((sample) => sample.bytes === bytes),
    );
  });
  return median(errors);
}

/** Median relative error of a law on measured points. */
export function predictionError(law: Transfer, samples: readonly Sample[]): number {
  return median(relativeErrors(law, samples));
}

function relativeErrors(law: Transfer, samples: readonly Sample[]): number[] {
  return samples.map(({ bytes, streams, seconds }) =>
    Math.abs(transferSeconds(law, bytes, streams) / seconds - 1),
  );
}

function rSquared(samples: readonly Sample[], law: Transfer): number {
  const average = mean(samples.map((sample) => sample.seconds));
  let residual = 0;
  let total = 0;
  for (const { bytes, streams, seconds } of samples) {
    residual += (seconds - transferSeconds(law, bytes, streams)) ** 2;
    total += (seconds - average) ** 2;
  }
  return total === 0 ? 1 : 1 - residual / total;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear interpolation between order statistics. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const low = sorted[Math.floor(at)]!;
  return low + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - low);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

/** Four significant digits, which is more than a measurement knows. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
