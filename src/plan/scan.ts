import { envelopesOf, type ScanList } from './envelopes.js';
import type { Problem } from './problem.js';
import { RowCells } from './row-cells.js';
import type { Row } from './rows.js';
import { GeneralScan } from './scan-general.js';
import { OPEN, PlainScan } from './scan-plain.js';
import type { Tally } from './tally.js';

/** The contexts whose choice is the same everywhere in a box of prices, and the others. */
export interface Split {
  /** The settled contexts' choices; the open ones' are filled in by whoever solves on. */
  readonly choices: Int32Array;
  readonly open: Int32Array;
  /** What the settled contexts reach and use, bytes unrounded as in the bound. */
  readonly loose: { readonly utility: number; readonly use: Float64Array };
  /** The same as a plan has it. */
  readonly exact: Tally;
}

/**
 * The choices of contexts without parents at given prices, or everywhere in a box of prices: one pass over typed
 * arrays, no allocation. A context looks at its curve's envelope once per tier.
 */
export class Scan {
  /** The forms that contexts look at. */
  readonly lists: ScanList;
  private readonly cells: RowCells;
  private readonly pass: PlainScan | GeneralScan;
  /** Prices by cell at the box's two ends, and sums by cell. */
  private readonly low: Float64Array;
  private readonly high: Float64Array;
  private readonly loose: Float64Array;
  private readonly exact: Float64Array;

  constructor(
    readonly problem: Problem,
    private readonly rows: readonly Row[],
  ) {
    const tabled = problem.tiers.some((tier) => tier.tabled);
    const envelopes = envelopesOf(problem, tabled);
    const cells = new RowCells(problem, rows);
    const affine = envelopes.lists.concave && !tabled;
    const plain = affine && problem.inForce === undefined && problem.budgets === undefined;
    this.lists = envelopes.lists;
    this.cells = cells;
    this.pass = plain
      ? new PlainScan(problem, envelopes.lists, cells.accessed)
      : new GeneralScan(problem, envelopes, cells, affine);
    this.low = new Float64Array(cells.length);
    this.high = new Float64Array(cells.length);
    this.loose = new Float64Array(cells.length);
    this.exact = new Float64Array(cells.length);
  }

  /**
   * Lets every context choose.
   * @param use what they use is added here, row by row.
   * @param choices filled where given.
   * @returns their utility, prices not subtracted.
   */
  choose(prices: Float64Array, use: Float64Array, choices?: Int32Array): number {
    const { cells, pass, low, loose } = this;
    cells.priceAndCharge(prices, low);
    const { priced } = pass.choose(low, loose, choices);
    cells.addUse(loose, use);
    return priced + cells.costOf(loose, prices);
  }

  /** Settles every context whose choice is the same everywhere in a box of prices. */
  split(lowPrices: Float64Array, highPrices: Float64Array): Split {
    const { problem, rows, cells, pass, low, high, loose, exact } = this;
    cells.priceAndCharge(lowPrices, low);
    cells.priceAndCharge(highPrices, high);
    const choices = new Int32Array(problem.demand.contexts);
    const { priced, opened, ...sums } = pass.split(low, high, choices, loose, exact);
    const open = new Int32Array(opened);
    for (let i = 0, at = 0; at < opened; i++) if (choices[i] === OPEN) open[at++] = i;
    const used = { loose: new Float64Array(rows.length), exact: new Float64Array(rows.length) };
    cells.addUse(loose, used.loose);
    cells.addUse(exact, used.exact);
    return {
      choices,
      open,
      loose: { utility: priced + cells.costOf(loose, lowPrices), use: used.loose },
      exact: { ...sums, use: used.exact, usedBytes: cells.bytesByTier(exact) },
    };
  }
}
