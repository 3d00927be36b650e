import { storedBytesOf, utilityOf } from './choice-costs.js';
import { KEEP_NOTHING, type Problem } from './problem.js';
import { BytePrices } from './row-cells.js';
import { addUse, type Row } from './rows.js';

/** Every option of every context at given prices, one by one, but for those that overfill a row all by themselves. */
export class PricedOptions {
  private readonly prices: BytePrices;
  private readonly use: Float64Array;
  private readonly count: number;

  constructor(
    private readonly problem: Problem,
    private readonly rows: readonly Row[],
  ) {
    this.prices = new BytePrices(problem, rows);
    this.use = new Float64Array(rows.length);
    this.count = problem.forms.storedBytes.length;
  }

  /** Takes new prices, utility per unit of each row. */
  set(prices: Float64Array): void {
    this.prices.set(prices);
  }

  /** Utility of a choice less what its bytes cost. */
  value(i: number, choice: number): number {
    const { problem, prices, count } = this;
    const utility = utilityOf(problem, i, choice);
    if (choice === KEEP_NOTHING) return utility;
    const bytes = storedBytesOf(problem, i, choice % count);
    return utility - prices.of(i, Math.floor(choice / count), choice) * bytes;
  }

  /** Calls back with each choice of context i that any plan could make. */
  forEach(i: number, visit: (choice: number) => void): void {
    const { problem, count } = this;
    const { tiers, forms, allowed, curveOf } = problem;
    const mask = allowed[i]!;
    if (mask & (1 << tiers.length)) visit(KEEP_NOTHING);
    for (let t = 0; t < tiers.length; t++) {
      if ((mask & (1 << t)) === 0) continue;
      for (let form = forms.offsets[curveOf[i]!]!; form < forms.offsets[curveOf[i]! + 1]!; form++)
        if (this.fits(i, t * count + form)) visit(t * count + form);
    }
  }

  /** The contexts that have an option which fits nowhere. */
  misfits(): Int32Array {
    const { problem, count } = this;
    const { demand, tiers, forms, allowed, curveOf } = problem;
    const found: number[] = [];
    for (let i = 0; i < demand.contexts; i++) {
      let misfit = false;
      for (let t = 0; t < tiers.length && !misfit; t++) {
        if ((allowed[i]! & (1 << t)) === 0) continue;
        const first = forms.offsets[curveOf[i]!]!;
        const end = forms.offsets[curveOf[i]! + 1]!;
        for (let form = first; form < end && !misfit; form++) misfit = !this.fits(i, t * count + form);
      }
      if (misfit) found.push(i);
    }
    return Int32Array.from(found);
  }

  private fits(i: number, choice: number): boolean {
    const { problem, rows, use } = this;
    use.fill(0);
    addUse(problem, rows, i, choice, use);
    for (let r = 0; r < rows.length; r++) if (use[r]! > rows[r]!.limit) return false;
    return true;
  }
}
