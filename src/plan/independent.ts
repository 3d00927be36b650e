import type { Lagrangian } from './lagrangian.js';
import type { Problem } from './problem.js';
import type { Row } from './rows.js';
import { Scan, type Split } from './scan.js';

/**
 * The Lagrangian of contexts without parents. It may stand for a box of prices only, in which most contexts
 * always choose alike (see `restrict`): then only the others still choose.
 */
export class IndependentLagrangian implements Lagrangian {
  readonly limits: Float64Array;

  constructor(
    private readonly problem: Problem,
    private readonly rows: readonly Row[],
    private readonly scan = new Scan(problem, rows),
    /** Whose choices are settled; none when undefined. */
    readonly split?: Split,
  ) {
    this.limits = Float64Array.from(rows, (row) => row.limit);
  }

  /** @param choices filled for the contexts that are not settled. */
  choose(prices: Float64Array, use: Float64Array, choices?: Int32Array): number {
    const { split, scan } = this;
    use.fill(0);
    if (split === undefined) return scan.choose(prices, undefined, use, choices);
    use.set(split.loose.use);
    return split.loose.utility + scan.choose(prices, split.open, use, choices);
  }

  /** The same inside a box of prices. */
  restrict(low: Float64Array, high: Float64Array): IndependentLagrangian {
    return new IndependentLagrangian(this.problem, this.rows, this.scan, this.scan.split(low, high));
  }
}
