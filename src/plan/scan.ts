import { segmentLoadSeconds } from '../cost/transfer.js';
import { optionUtility } from '../cost/utility.js';
import { envelopesOf, type ScanList } from './envelopes.js';
import { KEEP_NOTHING, type Problem, storedBytesOf, utilityOf } from './problem.js';
import type { Row } from './rows.js';

/** Mark of a context that a split leaves open. */
const OPEN = -2;

/** The contexts whose choice is the same everywhere in a box of prices, and the others. */
export interface Split {
  /** The settled contexts' choices; the open ones' are filled in by whoever solves on. */
  readonly choices: Int32Array;
  readonly open: Int32Array;
  /** What the settled contexts reach and use, bytes unrounded as in the bound. */
  readonly loose: { readonly utility: number; readonly use: Float64Array };
  /** The same as a plan has it. */
  readonly exact: { readonly utility: number; readonly use: Float64Array };
}

/**
 * The choices of contexts without parents at given prices, or everywhere in a box of prices: one pass over typed
 * arrays, no allocation. A context looks at its curve's envelope once per tier, and at the form in force where
 * changing that costs something.
 */
export class Scan {
  private readonly lists: ScanList;
  private readonly fractions: Float64Array;
  private readonly latency: Float64Array;
  private readonly secondsPerByte: Float64Array;
  /** Times are affine in bytes and lists are envelopes: the best entry follows from the slopes. */
  private readonly affine: boolean;
  /** Contexts share a price of bytes by group: 0, or 1 + tenant where tenants have shares of their own. */
  private readonly groups: number;
  private readonly low: PriceTable;
  private readonly high: PriceTable;
  private readonly loose: RowSums;
  private readonly exact: RowSums;
  /** Scratch of `enterSlowly`: value. */
  private readonly found = new Float64Array(1);

  constructor(
    private readonly problem: Problem,
    private readonly rows: readonly Row[],
  ) {
    const { tiers, demand } = problem;
    const tabled = tiers.some((tier) => tier.tabled);
    ({ fractions: this.fractions, lists: this.lists } = envelopesOf(problem, tabled));
    this.affine = this.lists.concave && !tabled;
    this.latency = Float64Array.from(tiers, (tier) => tier.latencySeconds);
    this.secondsPerByte = Float64Array.from(tiers, (tier) => tier.secondsPerByte);
    this.groups = rows.some(({ kind }) => kind === 'tenant') ? demand.tenants.length + 1 : 1;
    this.low = new PriceTable(this.groups, tiers.length);
    this.high = new PriceTable(this.groups, tiers.length);
    this.loose = new RowSums(this.groups, tiers.length);
    this.exact = new RowSums(this.groups, tiers.length);
  }

  /**
   * Lets contexts choose.
   * @param which the contexts; all when undefined.
   * @param use what they use is added here, row by row.
   * @param choices filled for those contexts where given.
   * @returns their utility, prices not subtracted.
   */
  choose(
    prices: Float64Array,
    which: Int32Array | undefined,
    use: Float64Array,
    choices: Int32Array | undefined,
  ): number {
    this.low.set(this.problem, this.rows, prices);
    const { priced } = this.pass(this.low, this.low, which, choices);
    return priced + this.loose.addTo(use, this.problem, this.rows, prices);
  }

  /**
   * Settles every context whose choice is the same everywhere in a box of prices: within a tier the values are
   * linear in the price of its bytes, so an entry that is best at both ends is best between; and no other tier
   * at its cheapest beats it at its dearest.
   */
  split(lowPrices: Float64Array, highPrices: Float64Array): Split {
    const { problem, rows, low, high } = this;
    low.set(problem, rows, lowPrices);
    high.set(problem, rows, highPrices);
    const choices = new Int32Array(problem.demand.contexts);
    const { priced, utility, opened } = this.pass(low, high, undefined, choices);
    const loose = new Float64Array(rows.length);
    const exact = new Float64Array(rows.length);
    const cost = this.loose.addTo(loose, problem, rows, lowPrices);
    this.exact.addTo(exact, problem, rows, lowPrices);
    const open = new Int32Array(opened);
    for (let i = 0, at = 0; at < opened; i++) if (choices[i] === OPEN) open[at++] = i;
    return {
      choices,
      open,
      loose: { utility: priced + cost, use: loose },
      exact: { utility, use: exact },
    };
  }

  /**
   * One pass. Where `low` and `high` are the same table every context chooses; else one that does not choose alike
   * at both is marked open.
   * @returns the choices' values less their cost at the low prices; in a box also their exact utility, and how many
   * are open. The sums are left in `loose` and `exact`.
   */
  private pass(
    low: PriceTable,
    high: PriceTable,
    which: Int32Array | undefined,
    choices: Int32Array | undefined,
  ): { priced: number; utility: number; opened: number } {
    const { problem, lists, groups, affine, latency, secondsPerByte, loose, exact, found } = this;
    const { demand, allowed, curveOf, recomputeSeconds, tiers, forms, alpha, inForce } = problem;
    const { fullBytes, accesses, requestShare, tenantOf } = demand;
    const { offsets, form, points } = lists;
    const { perByte: cheapByte, perAccess: cheapAccess, unlessInForce: cheapMove } = low;
    const { perByte: dearByte, perAccess: dearAccess, unlessInForce: dearMove } = high;
    const T = tiers.length;
    const count = forms.storedBytes.length;
    const box = low !== high;
    const plain = affine && inForce === undefined && problem.budgets === undefined;
    const length = which === undefined ? demand.contexts : which.length;
    loose.clear();
    exact.clear();
    let priced = 0;
    let carry = 0;
    let utility = 0;
    let utilityCarry = 0;
    let opened = 0;
    for (let k = 0; k < length; k++) {
      const i = which === undefined ? k : which[k]!;
      const f = accesses[i]!;
      const full = fullBytes[i]!;
      const share = requestShare[i]!;
      const worth = f * alpha * share;
      const mask = allowed[i]!;
      const group = groups === 1 ? 0 : (tenantOf[i]! + 1) * T;
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
      let entry = 0;
      let stored = 0;
      for (let t = 0; t < T; t++) {
        if ((mask & (1 << t)) === 0) continue;
        let cheap = cheapByte[group + t]! + f * cheapAccess[t]!;
        let dear = box ? dearByte[group + t]! + f * dearAccess[t]! : cheap;
        if (kept >= 0) {
          // The form in force, here: it need not be on the list, and is not built anew.
          const there = t * count + kept;
          this.valueSlowly(i, t, kept, there === before ? cheap : cheap + cheapMove[t]!);
          const most = found[0]!;
          this.valueSlowly(i, t, kept, there === before ? dear : dear + dearMove[t]!);
          const least = found[0]!;
          if (least >= winning) {
            if (winningLow > rival) rival = winningLow;
            winning = least;
            winningLow = most;
            choice = there;
            tier = t;
            stored = full * this.fractions[kept]!;
          } else if (most > rival) rival = most;
        }
        cheap += cheapMove[t]!;
        dear += dearMove[t]!;
        let a = first;
        let b: number;
        let most: number;
        let least: number;
        if (affine) {
          const start = f * share * latency[t]!;
          let perFraction = full * (f * secondsPerByte[t]! + cheap);
          // Even whole at the cost of the fewest bytes it would not win.
          if (worth - start - perFraction * points[3 * first + 2]! <= winning) continue;
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
          entry = a;
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
        loose.bytes[group + tier]! += stored;
        loose.accessed[tier]! += stored * f;
        if (choice !== before) loose.written[tier]! += stored;
      }
      // Kahan's sum: a million terms of one sign would otherwise lose the last digits of the bound.
      const term = winningLow - carry;
      const next = priced + term;
      carry = next - priced - term;
      priced = next;
      if (!box) continue;
      // Bytes are whole: at most one too many where a product falls on a whole number, never one too few.
      const rounded = Math.ceil(stored);
      if (tier >= 0) {
        exact.bytes[group + tier]! += rounded;
        exact.accessed[tier]! += rounded * f;
        if (choice !== before) exact.written[tier]! += rounded;
      }
      let whole = winning;
      if (!plain) whole = utilityOf(problem, i, choice);
      else if (tier >= 0)
        whole =
          worth * points[3 * entry + 1]! - f * (share * latency[tier]! + rounded * secondsPerByte[tier]!);
      const exactTerm = whole - utilityCarry;
      const exactNext = utility + exactTerm;
      utilityCarry = exactNext - utility - exactTerm;
      utility = exactNext;
    }
    return { priced, utility, opened };
  }

  /** The entry of a context's list that is best in a tier at a price per byte, one by one; its value is left in `found`. */
  private bestSlowly(i: number, t: number, price: number, first: number, last: number): number {
    const { form } = this.lists;
    let best = first;
    let most = Number.NEGATIVE_INFINITY;
    for (let e = first; e <= last; e++) {
      this.valueSlowly(i, t, form[e]!, price);
      if (this.found[0]! > most) {
        most = this.found[0]!;
        best = e;
      }
    }
    this.found[0] = most;
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

/** What choices store, from which the use of every row follows. */
class RowSums {
  /** By group and tier, `group · tiers + tier`. */
  readonly bytes: Float64Array;
  /** By tier: bytes times accesses, and bytes that do not lie there already. */
  readonly accessed: Float64Array;
  readonly written: Float64Array;

  constructor(
    private readonly groups: number,
    private readonly tiers: number,
  ) {
    this.bytes = new Float64Array(groups * tiers);
    this.accessed = new Float64Array(tiers);
    this.written = new Float64Array(tiers);
  }

  clear(): void {
    this.bytes.fill(0);
    this.accessed.fill(0);
    this.written.fill(0);
  }

  /** Adds the sums to `use`, row by row; returns what they cost at the prices. */
  addTo(use: Float64Array, problem: Problem, rows: readonly Row[], prices: Float64Array): number {
    const { bytes, accessed, written, groups, tiers: T } = this;
    const stored = (t: number) => {
      let sum = 0;
      for (let g = 0; g < groups; g++) sum += bytes[g * T + t]!;
      return sum;
    };
    let cost = 0;
    rows.forEach(({ kind, tier, tenant }, r) => {
      let used = 0;
      if (kind === 'capacity') used = stored(tier);
      else if (kind === 'bandwidth') used = accessed[tier]!;
      else if (kind === 'tenant') used = bytes[(tenant! + 1) * T + tier]!;
      else if (kind === 'writes') used = written[tier]!;
      else for (let t = 0; t < T; t++) used += stored(t) * problem.tiers[t]!.moneyPerByte;
      use[r]! += used;
      cost += prices[r]! * used;
    });
    return cost;
  }
}

/** What a stored byte costs: at the rows' prices, in charges, and for moving it. */
class PriceTable {
  /** By group and tier, `group · tiers + tier`. */
  readonly perByte: Float64Array;
  /** By tier: per byte and access, and per byte that does not lie there already. */
  readonly perAccess: Float64Array;
  readonly unlessInForce: Float64Array;

  constructor(
    private readonly groups: number,
    private readonly tiers: number,
  ) {
    this.perByte = new Float64Array(groups * tiers);
    this.perAccess = new Float64Array(tiers);
    this.unlessInForce = new Float64Array(tiers);
  }

  /** Takes new prices, utility per unit of each row. */
  set(problem: Problem, rows: readonly Row[], prices: Float64Array): void {
    const { perByte, perAccess, unlessInForce, groups, tiers: T } = this;
    perByte.fill(0);
    perAccess.fill(0);
    for (let t = 0; t < T; t++) {
      unlessInForce[t] = problem.inForce === undefined ? 0 : (problem.movingSecondsPerByte ?? 0);
    }
    const everyGroup = (t: number, price: number) => {
      for (let g = 0; g < groups; g++) perByte[g * T + t]! += price;
    };
    problem.budgets?.charge.forEach((charge, t) => {
      everyGroup(t, charge);
    });
    rows.forEach(({ kind, tier, tenant }, r) => {
      const price = prices[r]!;
      if (kind === 'capacity') everyGroup(tier, price);
      else if (kind === 'bandwidth') perAccess[tier]! += price;
      else if (kind === 'tenant') perByte[(tenant! + 1) * T + tier]! += price;
      else if (kind === 'writes') unlessInForce[tier]! += price;
      else for (let t = 0; t < T; t++) everyGroup(t, price * problem.tiers[t]!.moneyPerByte);
    });
  }
}
