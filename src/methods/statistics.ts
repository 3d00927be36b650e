/** The arithmetic mean; NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The sample standard deviation, undefined for fewer than two values. */
export function standardDeviation(values: readonly number[]): number | undefined {
  if (values.length < 2) return undefined;
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
}

/** The standard error of the mean, undefined for fewer than two values. */
export function standardError(values: readonly number[]): number | undefined {
  const deviation = standardDeviation(values);
  return deviation === undefined ? undefined : deviation / Math.sqrt(values.length);
}
