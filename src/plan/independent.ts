import type { Lagrangian } from './lagrangian.js';
import { type Box, type Core, together } from './nested-cores.js';
import type { Problem } from './problem.js';
import type { Row } from './rows.js';
import { pickContexts } from './sample.js';
import { Scan, type Split } from './scan.js';

/**
 * The Lagrangian of contexts without parents. It may stand for a box of prices only, in which most contexts
 * always choose alike: then only the others still choose.
 */
export class IndependentLagrangian implements Lagrangian {
  readonly limits: Float64Array;
  readonly scan: Scan;

  constructor(
    problem: Problem,
    rows: readonly Row[],
    /** Whose choices are settled; none when undefined. */
    readonly split?: Split,
  ) {
    this.limits = Float64Array.from(rows, (row) => row.limit);
    // The open contexts lie scattered; side by side they are read many times faster.
    this.scan = new Scan(split === undefined ? problem : pickContexts(problem, split.open), rows);
  }

  /** @param choices filled for the contexts that are not settled. */
  choose(prices: Float64Array, use: Float64Array, choices?: Int32Array): number {
    const { split, scan } = this;
    if (split === undefined) {
      use.fill(0);
      return scan.choose(prices, use, choices);
    }
    use.set(split.loose.use);
    const own = choices === undefined ? undefined : new Int32Array(split.open.length);
    const utility = split.loose.utility + scan.choose(prices, use, own);
    own?.forEach((choice, k) => {
      choices![split.open[k]!] = choice;
    });
    return utility;
  }

  /** What choices are like in a box of prices, of the contexts that still choose here; sums include the others. */
  coreIn({ low, high }: Box): Core {
    return { problem: this.scan.problem, split: together(this.split, this.scan.split(low, high)) };
  }
}
