import { KEEP_NOTHING, type Problem, storedBytesOf } from './problem.js';

/**
 * The coupling constraints of a problem, one row each: what all contexts together may use. A choice uses of a
 * row an amount proportional to its stored bytes.
 */
export interface Row {
  readonly kind: 'capacity' | 'bandwidth';
  readonly tier: number;
  /** Bytes, or bytes loaded per period. */
  readonly limit: number;
}

/** The rows that can bind: finite capacities, and bandwidth budgets where one is set. */
export function couplingRows(problem: Problem): Row[] {
  const rows: Row[] = [];
  problem.tiers.forEach((tier, t) => {
    // A tier without room is not offered at all: it needs no row.
    if (Number.isFinite(tier.capacityBytes) && tier.capacityBytes > 0)
      rows.push({ kind: 'capacity', tier: t, limit: tier.capacityBytes });
  });
  problem.tiers.forEach((tier, t) => {
    if (Number.isFinite(tier.bytesPerSecondBudget) && tier.bytesPerSecondBudget > 0) {
      rows.push({
        kind: 'bandwidth',
        tier: t,
        limit: tier.bytesPerSecondBudget * (problem.demand.periodSeconds ?? 1),
      });
    }
  });
  return rows;
}

/** Adds (or with sign −1 takes away) what a choice of context i uses to `use`, row by row. */
export function addUse(
  problem: Problem,
  rows: readonly Row[],
  i: number,
  choice: number,
  use: Float64Array,
  sign = 1,
): void {
  if (choice === KEEP_NOTHING) return;
  const count = problem.forms.storedBytes.length;
  const tier = Math.floor(choice / count);
  const bytes = sign * storedBytesOf(problem, i, choice % count);
  for (let r = 0; r < rows.length; r++) {
    const row = rows[r]!;
    if (row.tier === tier) use[r]! += row.kind === 'capacity' ? bytes : bytes * problem.demand.accesses[i]!;
  }
}

/** What all choices together use, row by row. */
export function totalUse(problem: Problem, rows: readonly Row[], choices: Int32Array): Float64Array {
  const use = new Float64Array(rows.length);
  for (let i = 0; i < choices.length; i++) addUse(problem, rows, i, choices[i]!, use);
  return use;
}

/** Whether use keeps every limit, but for the rounding of sums. */
export function withinLimits(rows: readonly Row[], use: Float64Array): boolean {
  return rows.every((row, r) => use[r]! <= row.limit * (1 + 1e-12));
}
