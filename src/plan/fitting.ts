import { utilityOf } from './choice-costs.js';
import { minimizeBound } from './dual.js';
import { InfeasibleError } from './infeasible.js';
import type { Lagrangian } from './lagrangian.js';
import { PricedOptions } from './priced-options.js';
import type { Problem } from './problem.js';
import type { Relaxation } from './relaxation.js';
import { TOLERANCE } from './relaxation.js';
import { addUse, type Row } from './rows.js';
import { pickContexts } from './sample.js';
import { Scan } from './scan.js';

/**
 * A relaxation made tighter: options that overfill a row all by themselves are in no plan, but the linear relaxation
 * takes fractions of them. Where a context is larger than a tier that makes most of the integrality gap.
 * @returns the relaxation without them; as it was where there are none.
 * @throws InfeasibleError when nothing is left that keeps every limit.
 */
export function tightened(problem: Problem, relaxation: Relaxation): Relaxation {
  const { rows, optimum, baseline, floor, most } = relaxation;
  const misfits = new PricedOptions(problem, rows).misfits();
  if (misfits.length === 0) return relaxation;
  const lagrangian = new FittingLagrangian(problem, rows, misfits);
  const tight = minimizeBound(lagrangian, {
    start: optimum.prices,
    tolerance: TOLERANCE,
    baseline,
    floor,
  });
  if (tight.infeasible) throw new InfeasibleError();
  return { rows, lagrangian, optimum: tight, baseline, floor, most };
}

/** The Lagrangian of contexts without parents in which the options of some are looked at one by one. */
class FittingLagrangian implements Lagrangian {
  readonly limits: Float64Array;
  private readonly others: Int32Array;
  private readonly scan: Scan;
  /** Options of the k-th misfit are `offsets[k] .. offsets[k + 1]`. */
  private readonly offsets: Int32Array;
  private readonly choice: Int32Array;
  private readonly utility: Float64Array;
  /** What an option uses, `option · rows + r`. */
  private readonly use: Float64Array;

  constructor(
    problem: Problem,
    rows: readonly Row[],
    private readonly misfits: Int32Array,
  ) {
    const R = rows.length;
    this.limits = Float64Array.from(rows, (row) => row.limit);
    const odd = new Set(misfits);
    this.others = Int32Array.from(problem.curveOf.keys()).filter((i) => !odd.has(i));
    this.scan = new Scan(pickContexts(problem, this.others), rows);
    const options = new PricedOptions(problem, rows);
    this.offsets = new Int32Array(misfits.length + 1);
    const choice: number[] = [];
    misfits.forEach((i, k) => {
      options.forEach(i, (each) => choice.push(each));
      if (choice.length === this.offsets[k]!) throw new InfeasibleError();
      this.offsets[k + 1] = choice.length;
    });
    this.choice = Int32Array.from(choice);
    this.utility = new Float64Array(choice.length);
    this.use = new Float64Array(choice.length * R);
    misfits.forEach((i, k) => {
      for (let o = this.offsets[k]!; o < this.offsets[k + 1]!; o++) {
        this.utility[o] = utilityOf(problem, i, choice[o]!);
        addUse(problem, rows, i, choice[o]!, this.use.subarray(o * R, (o + 1) * R));
      }
    });
  }

  choose(prices: Float64Array, use: Float64Array, choices?: Int32Array): number {
    const { others, misfits, offsets } = this;
    const R = prices.length;
    use.fill(0);
    const own = choices === undefined ? undefined : new Int32Array(others.length);
    let utility = this.scan.choose(prices, use, own);
    own?.forEach((choice, k) => {
      choices![others[k]!] = choice;
    });
    for (let k = 0; k < misfits.length; k++) {
      let best = -1;
      let most = Number.NEGATIVE_INFINITY;
      for (let o = offsets[k]!; o < offsets[k + 1]!; o++) {
        let value = this.utility[o]!;
        for (let r = 0; r < R; r++) value -= prices[r]! * this.use[o * R + r]!;
        if (value > most) {
          most = value;
          best = o;
        }
      }
      utility += this.utility[best]!;
      for (let r = 0; r < R; r++) use[r]! += this.use[best * R + r]!;
      if (choices !== undefined) choices[misfits[k]!] = this.choice[best]!;
    }
    return utility;
  }
}
