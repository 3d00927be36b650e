/** One prompt and the time to its first token. */
export interface PrefillSample {
  readonly tokens: number;
  readonly seconds: number;
}

/** seconds = overhead + secondsPerToken · n + secondsPerTokenSquared · n². */
export interface PrefillFit {
  readonly overheadSeconds: number;
  readonly secondsPerToken: number;
  readonly secondsPerTokenSquared: number;
  readonly medianRelativeError: number;
}

/**
 * Least squares of the relative error with all terms ≥ 0. The overhead is what every request pays (network,
 * scheduling): left in, it would pass for prefill of short prompts.
 * @param samples one at least; from a single length the terms cannot be told apart, and the first stands for all.
 * @param overhead false where what every request pays is counted elsewhere: it is then 0.
 */
export function fitPrefill(samples: readonly PrefillSample[], overhead = true): PrefillFit {
  const rows = samples.map(({ tokens, seconds }) => [1 / seconds, tokens / seconds, tokens ** 2 / seconds]);
  let best = { loss: Number.POSITIVE_INFINITY, terms: [0, 0, 0] };
  // With three terms every set of active ones can be tried: the best feasible one is the optimum.
  for (let active = 1; active < 8; active++) {
    if (!overhead && (active & 1) === 1) continue;
    const columns = [0, 1, 2].filter((column) => (active >> column) & 1);
    const solution = normalEquations(rows.map((row) => columns.map((column) => row[column]!)));
    if (solution === undefined || solution.some((term) => term < 0)) continue;
    const terms = [0, 0, 0];
    columns.forEach((column, i) => {
      terms[column] = solution[i]!;
    });
    const loss = rows.reduce((sum, row) => sum + (relative(row, terms) - 1) ** 2, 0);
    if (loss < best.loss) best = { loss, terms };
  }
  const errors = rows.map((row) => Math.abs(relative(row, best.terms) - 1)).sort((a, b) => a - b);
  return {
    overheadSeconds: best.terms[0]!,
    secondsPerToken: best.terms[1]!,
    secondsPerTokenSquared: best.terms[2]!,
    medianRelativeError: errors[errors.length >> 1]!,
  };
}

function relative(row: readonly number[], terms: readonly number[]): number {
  return row.reduce((sum, value, i) => sum + value * terms[i]!, 0);
}

/** Solves min |A·x − 1|² by Gaussian elimination with pivoting on scaled columns; undefined where A is singular. */
function normalEquations(rows: readonly (readonly number[])[]): number[] | undefined {
  const size = rows[0]!.length;
  const scales = Array.from({ length: size }, (_, j) =>
    Math.sqrt(rows.reduce((sum, row) => sum + row[j]! ** 2, 0)),
  );
  const matrix = Array.from({ length: size }, (_, i) => [
    ...Array.from({ length: size }, (_, j) => dot(rows, i, j) / (scales[i]! * scales[j]!)),
    rows.reduce((sum, row) => sum + row[i]!, 0) / scales[i]!,
  ]);
  for (let pivot = 0; pivot < size; pivot++) {
    const largest = matrix
      .slice(pivot)
      .reduce(
        (best, row, i) => (Math.abs(row[pivot]!) > Math.abs(matrix[best]![pivot]!) ? pivot + i : best),
        pivot,
      );
    [matrix[pivot], matrix[largest]] = [matrix[largest]!, matrix[pivot]!];
    if (Math.abs(matrix[pivot]![pivot]!) < 1e-9) return undefined;
    for (let i = 0; i < size; i++) {
      if (i === pivot) continue;
      const factor = matrix[i]![pivot]! / matrix[pivot]![pivot]!;
      matrix[i] = matrix[i]!.map((value, j) => value - factor * matrix[pivot]![j]!);
    }
  }
  return matrix.map((row, i) => row[size]! / row[i]! / scales[i]!);
}

function dot(rows: readonly (readonly number[])[], i: number, j: number): number {
  return rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0);
}
