import type { Configuration } from '../runner.js';
import { mean } from '../statistics.js';

/** One measured configuration of one context. */
export interface Observation {
  /** The configuration's place in the list of all. */
  readonly cell: number;
  readonly quality: number;
  /** Standard error of the quality. */
  readonly error: number;
}

/** What is believed of every configuration of a context: means and standard deviations, in the list's order. */
export interface Belief {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/** Before anything is measured: how far contexts are expected to lie from the mean of all. */
const PRIOR_DEVIATION = 0.12;
/** How many contexts the expectation above counts for. */
const PRIOR_CONTEXTS = 2;
/** The share of a context's deviation that all its methods have in common. */
const COMMON = 0.3;
/** A standard error of nothing is not believed: one query can agree by chance. */
const LEAST_ERROR = 0.02;

/**
 * The quality of every configuration of a context, from what was measured of it and of other contexts: a Gaussian
 * process over configurations. Its mean is that of the other contexts; deviations from it go together within a
 * method, the more the nearer the stored shares, and to a part over all methods.
 * @param own what was measured of this context.
 * @param others what was measured of every other context, a list each.
 */
export function believe(
  cells: readonly Configuration[],
  own: readonly Observation[],
  others: readonly (readonly Observation[])[],
): Belief {
  const { centre, spread } = pooled(cells, [...others, own]);
  const covariance = (a: number, b: number) => spread[a]! * spread[b]! * alike(cells[a]!, cells[b]!);
  const n = own.length;
  const matrix = own.map((row, i) =>
    own.map((column, j) => covariance(row.cell, column.cell) + (i === j ? noise(row) : 0)),
  );
  const factor = cholesky(matrix);
  const residual = solve(
    factor,
    own.map((each) => each.quality - centre[each.cell]!),
  );
  const result = { mean: new Float64Array(cells.length), deviation: new Float64Array(cells.length) };
  for (let cell = 0; cell < cells.length; cell++) {
    const link = own.map((each) => covariance(cell, each.cell));
    const explained = solve(factor, link);
    let shift = 0;
    let known = 0;
    for (let i = 0; i < n; i++) {
      shift += link[i]! * residual[i]!;
      known += link[i]! * explained[i]!;
    }
    result.mean[cell] = Math.min(1, Math.max(0, centre[cell]! + shift));
    result.deviation[cell] = Math.sqrt(Math.max(0, covariance(cell, cell) - known));
  }
  return result;
}

function noise({ error }: Observation): number {
  return Math.max(error, LEAST_ERROR) ** 2;
}

/** How much two configurations' deviations go together, 0 to 1. */
function alike(a: Configuration, b: Configuration): number {
  if (a.method !== b.method) return COMMON;
  const distance = Math.abs(Math.log((1 - a.compressionRatio) / (1 - b.compressionRatio)));
  return COMMON + (1 - COMMON) * Math.exp(-distance);
}

/** Mean and spread over contexts, each drawn towards what is expected before anything is known. */
function pooled(
  cells: readonly Configuration[],
  contexts: readonly (readonly Observation[])[],
): { centre: Float64Array; spread: Float64Array } {
  const values = cells.map(() => [] as number[]);
  for (const context of contexts) for (const { cell, quality } of context) values[cell]!.push(quality);
  const centre = new Float64Array(cells.length);
  const spread = new Float64Array(cells.length);
  cells.forEach((cell, j) => {
    const expected = neighbours(cells, values, cell) ?? 1 - cell.compressionRatio ** 2 / 2;
    const own = values[j]!;
    // What is expected counts as one context among those measured.
    centre[j] = (own.reduce((sum, value) => sum + value, 0) + expected) / (own.length + 1);
    const squares = own.reduce((sum, value) => sum + (value - centre[j]!) ** 2, 0);
    spread[j] = Math.sqrt((squares + PRIOR_CONTEXTS * PRIOR_DEVIATION ** 2) / (own.length + PRIOR_CONTEXTS));
  });
  return { centre, spread };
}

/** The mean at the nearest measured ratios of the same method, in between interpolated; undefined without any. */
function neighbours(
  cells: readonly Configuration[],
  values: readonly (readonly number[])[],
  { method, compressionRatio }: Configuration,
): number | undefined {
  const measured = cells.flatMap((cell, j) =>
    cell.method === method && values[j]!.length > 0 && cell.compressionRatio !== compressionRatio
      ? [{ ratio: cell.compressionRatio, quality: mean(values[j]!) }]
      : [],
  );
  const weaker = measured
    .filter(({ ratio }) => ratio < compressionRatio)
    .sort((a, b) => b.ratio - a.ratio)[0] ?? {
    ratio: 0,
    quality: 1,
  };
  const stronger = measured
    .filter(({ ratio }) => ratio > compressionRatio)
    .sort((a, b) => a.ratio - b.ratio)[0];
  if (stronger === undefined)
    return measured.length === 0
      ? undefined
      : Math.max(0, weaker.quality - (compressionRatio - weaker.ratio) / 2);
  const share = (compressionRatio - weaker.ratio) / (stronger.ratio - weaker.ratio);
  return weaker.quality + share * (stronger.quality - weaker.quality);
}

/** Lower triangle L of a symmetric positive matrix, L·Lᵀ = matrix. */
function cholesky(matrix: readonly (readonly number[])[]): number[][] {
  const lower = matrix.map((row) => row.map(() => 0));
  for (let i = 0; i < matrix.length; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i]![j]!;
      for (let k = 0; k < j; k++) sum -= lower[i]![k]! * lower[j]![k]!;
      lower[i]![j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / lower[j]![j]!;
    }
  }
  return lower;
}

/** The solution of L·Lᵀ·x = right. */
function solve(lower: readonly (readonly number[])[], right: readonly number[]): number[] {
  const x = [...right];
  for (let i = 0; i < x.length; i++) {
    for (let k = 0; k < i; k++) x[i]! -= lower[i]![k]! * x[k]!;
    x[i]! /= lower[i]![i]!;
  }
  for (let i = x.length - 1; i >= 0; i--) {
    for (let k = i + 1; k < x.length; k++) x[i]! -= lower[k]![i]! * x[k]!;
    x[i]! /= lower[i]![i]!;
  }
  return x;
}
