import { segmentLoadSeconds } from '../cost/transfer.js';
import { optionUtility } from '../cost/utility.js';
import { qualityOf, storedBytesOf, ttftOf, utilityOf } from './choice-costs.js';
import type { Envelopes, ScanList } from './envelopes.js';
import { KEEP_NOTHING, type Problem } from './problem.js';
import type { RowCells } from './row-cells.js';
import { OPEN, type Pass } from './scan-plain.js';
import { KahanSum } from './sums.js';

/**
 * The same passes as PlainScan with everything that may come on top: tables of times, decompression, tenants'
 * shares, charges, and a plan in force that costs something to change. A context then looks at the form in force
 * besides its list.
 */
export class GeneralScan {
  private readonly lists: ScanList;
  private readonly fractions: Float64Array;
  private readonly latency: Float64Array;
  private readonly secondsPerByte: Float64Array;
  private readonly spare: Float64Array;
  /** Scratch of `valueSlowly` and `bestSlowly`: a value. */
  private readonly found = new Float64Array(1);

  /** @param affine times are affine in bytes and lists are envelopes. */
  constructor(
    private readonly problem: Problem,
    { lists, fractions }: Envelopes,
    private readonly cells: RowCells,
    private readonly affine: boolean,
  ) {
    this.lists = lists;
    this.fractions = fractions;
    this.latency = Float64Array.from(problem.tiers, (tier) => tier.latencySeconds);
    this.secondsPerByte = Float64Array.from(problem.tiers, (tier) => tier.secondsPerByte);
    this.spare = new Float64Array(cells.length);
  }

  /** See PlainScan. */
  choose(perUnit: Float64Array, loose: Float64Array, choices: Int32Array | undefined): Pass {
    return this.run(perUnit, perUnit, choices, loose, this.spare);
  }

  /** See PlainScan. */
  split(
    low: Float64Array,
    high: Float64Array,
    choices: Int32Array,
    loose: Float64Array,
    exact: Float64Array,
  ): Pass {
    return this.run(low, high, choices, loose, exact);
  }

  /** Where `low` and `high` are the same array every context chooses. */
  private run(
    low: Float64Array,
    high: Float64Array,
    choices: Int32Array | undefined,
    loose: Float64Array,
    exact: Float64Array,
  ): Pass {
    const { problem, lists, cells, affine, latency, secondsPerByte, fractions, found } = this;
    const { demand, allowed, curveOf, recomputeSeconds, tiers, forms, alpha, inForce } = problem;
    const { fullBytes, accesses, requestShare } = demand;
    const { offsets, form, points } = lists;
    const { accessed, written } = cells;
    const T = tiers.length;
    const count = forms.storedBytes.length;
    const box = low !== high;
    loose.fill(0);
    exact.fill(0);
    const priced = new KahanSum();
    const utility = new KahanSum();
    let opened = 0;
    let ttftSeconds = 0;
    let quality = 0;
    let keptWeight = 0;
    for (let i = 0; i < demand.contexts; i++) {
      const f = accesses[i]!;
      const full = fullBytes[i]!;
      const share = requestShare[i]!;
      const worth = f * alpha * share;
      const mask = allowed[i]!;
      const group = cells.groupOf(i);
      const first = offsets[curveOf[i]!]!;
      const last = offsets[curveOf[i]! + 1]! - 1;
      const before = inForce === undefined ? KEEP_NOTHING : inForce[i]!;
      const kept = before === KEEP_NOTHING ? -1 : before % count;
      const rebuild = kept < 0 ? 0 : this.rebuildSeconds(i, kept);
      // The winner is the best at the high prices; `rival` the most that another reaches at the low ones.
      let winning = mask & (1 << T) ? worth - f * recomputeSeconds[i]! : Number.NEGATIVE_INFINITY;
      let winningLow = winning;
      let rival = Number.NEGATIVE_INFINITY;
      let choice = KEEP_NOTHING;
      let tier = -1;
      let stored = 0;
      for (let t = 0; t < T; t++) {
        if ((mask & (1 << t)) === 0) continue;
        let cheap = low[group + t]! + f * low[accessed + t]!;
        let dear = box ? high[group + t]! + f * high[accessed + t]! : cheap;
        if (kept >= 0) {
          // The form in force, here: it need not be on the list, and is not built anew.
          const there = t * count + kept;
          this.valueSlowly(i, t, kept, there === before ? cheap : cheap + low[written + t]!);
          const most = found[0]!;
          this.valueSlowly(i, t, kept, there === before ? dear : dear + high[written + t]!);
          const least = found[0]!;
          if (least >= winning) {
            if (winningLow > rival) rival = winningLow;
            winning = least;
            winningLow = most;
            choice = there;
            tier = t;
            stored = full * fractions[kept]!;
          } else if (most > rival) rival = most;
        }
        cheap += low[written + t]!;
        dear += high[written + t]!;
        let a = first;
        let b: number;
        let most: number;
        let least: number;
        const start = f * share * latency[t]!;
        let perFraction = full * (f * secondsPerByte[t]! + cheap);
        // Even whole at the cost of the fewest bytes it would not win.
        if (!tiers[t]!.tabled && worth - start - perFraction * points[3 * first + 2]! <= winning) continue;
        if (affine) {
          while (a < last && worth * points[3 * a]! > perFraction) a++;
          most = worth * points[3 * a + 1]! - start - perFraction * points[3 * a + 2]! - rebuild;
          b = a;
          least = most;
          if (box) {
            perFraction = full * (f * secondsPerByte[t]! + dear);
            b = first;
            while (b < a && worth * points[3 * b]! > perFraction) b++;
            least = worth * points[3 * b + 1]! - start - perFraction * points[3 * b + 2]! - rebuild;
          }
        } else {
          a = this.bestSlowly(i, t, cheap, first, last);
          most = found[0]! - rebuild;
          b = box ? this.bestSlowly(i, t, dear, first, last) : a;
          least = found[0]! - rebuild;
        }
        if (kept >= 0 && form[a] === kept && form[b] === kept) continue;
        if (least > winning) {
          if (winningLow > rival) rival = winningLow;
          winning = least;
          winningLow = most;
          choice = a === b ? t * count + form[a]! : OPEN;
          tier = t;
          stored = full * points[3 * a + 2]!;
        } else if (most > rival) rival = most;
      }
      if (box && (choice === OPEN || rival > winning)) {
        choices![i] = OPEN;
        opened++;
        continue;
      }
      if (choices !== undefined) choices[i] = choice;
      if (tier >= 0) {
        loose[group + tier]! += stored;
        loose[accessed + tier]! += stored * f;
        if (choice !== before) loose[written + tier]! += stored;
      }
      priced.add(winningLow);
      if (!box) continue;
      if (tier >= 0) {
        const whole = storedBytesOf(problem, i, choice % count);
        keptWeight += f * share;
        exact[group + tier]! += whole;
        exact[accessed + tier]! += whole * f;
        if (choice !== before) exact[written + tier]! += whole;
      }
      utility.add(utilityOf(problem, i, choice));
      ttftSeconds += f * ttftOf(problem, i, choice);
      quality += f * share * qualityOf(problem, choice);
    }
    return { priced: priced.total, opened, utility: utility.total, ttftSeconds, quality, kept: keptWeight };
  }

  /** The entry of a context's list that is best in a tier at a price per byte, one by one; its value is left in `found`. */
  private bestSlowly(i: number, t: number, price: number, first: number, last: number): number {
    const { problem, lists, latency, secondsPerByte, found } = this;
    const { form, points } = lists;
    const { demand, forms, alpha, tiers } = problem;
    const { decompressSecondsPerByte } = forms;
    let best = first;
    let most = Number.NEGATIVE_INFINITY;
    if (tiers[t]!.tabled) {
      for (let e = first; e <= last; e++) {
        this.valueSlowly(i, t, form[e]!, price);
        if (found[0]! > most) {
          most = found[0]!;
          best = e;
        }
      }
      found[0] = most;
      return best;
    }
    const f = demand.accesses[i]!;
    const weight = f * demand.requestShare[i]!;
    const worth = alpha * weight;
    const full = demand.fullBytes[i]!;
    const perFraction = full * (f * secondsPerByte[t]! + price);
    const perDecompressing = full * f;
    for (let e = first; e <= last; e++) {
      const value =
        worth * points[3 * e + 1]! -
        perFraction * points[3 * e + 2]! -
        perDecompressing * decompressSecondsPerByte[form[e]!]!;
      if (value > most) {
        most = value;
        best = e;
      }
    }
    found[0] = most - weight * latency[t]!;
    return best;
  }

  /** Leaves in `found` the utility of a form in a tier less a price per byte; bytes unrounded, moving not counted. */
  private valueSlowly(i: number, t: number, form: number, price: number): void {
    const { forms, tiers, demand, alpha } = this.problem;
    const f = demand.accesses[i]!;
    const share = demand.requestShare[i]!;
    const bytes = demand.fullBytes[i]! * this.fractions[form]!;
    const { tabled, read } = tiers[t]!;
    const load = tabled
      ? segmentLoadSeconds(read, storedBytesOf(this.problem, i, form), share)
      : share * this.latency[t]! + bytes * this.secondsPerByte[t]!;
    const seconds = load + forms.decompressSecondsPerByte[form]! * demand.fullBytes[i]!;
    this.found[0] = optionUtility(f, alpha, share, forms.quality[form]!, seconds) - price * bytes;
  }

  /** What another form costs once where the one in force is lossy: the prefill. */
  private rebuildSeconds(i: number, form: number): number {
    const { movingSecondsPerByte, forms, recomputeSeconds } = this.problem;
    return movingSecondsPerByte !== undefined && forms.lossyOf[form]! >= 0 ? recomputeSeconds[i]! : 0;
  }
}
