import type { ScanList } from './envelopes.js';
import { KEEP_NOTHING, type Problem } from './problem.js';
import { KahanSum } from './sums.js';

/** Mark of a context that does not choose alike everywhere in a box of prices. */
export const OPEN = -2;

/** What one pass over the contexts finds. Sums by cell are left in the arrays given. */
export interface Pass {
  /** The choices' values at the low prices, what their bytes cost subtracted. */
  readonly priced: number;
  /** In a box: contexts marked OPEN, and the others' sums as a plan has them; see Tally. */
  readonly opened: number;
  readonly utility: number;
  readonly ttftSeconds: number;
  readonly quality: number;
  readonly kept: number;
}

/** Where every context chooses, nothing is summed up as a plan has it. */
export const NO_SUMS = { opened: 0, utility: 0, ttftSeconds: 0, quality: 0, kept: 0 };

/**
 * The passes for the plain case: times affine in bytes, curves that are envelopes, nothing in force, no charges,
 * rows that look at tiers only. The value of an entry in a tier is a line in what a byte of it costs; the best entry
 * is the first whose slope is not worth that.
 */
export class PlainScan {
  private readonly latency: Float64Array;
  private readonly secondsPerByte: Float64Array;
  /** Scratch, by tier: seconds and price of a byte at every access. */
  private readonly cheapAccess: Float64Array;
  private readonly dearAccess: Float64Array;

  /** @param accessed first cell of bytes times accesses, see RowCells. */
  constructor(
    private readonly problem: Problem,
    private readonly lists: ScanList,
    private readonly accessed: number,
  ) {
    const { tiers } = problem;
    this.latency = Float64Array.from(tiers, (tier) => tier.latencySeconds);
    this.secondsPerByte = Float64Array.from(tiers, (tier) => tier.secondsPerByte);
    this.cheapAccess = new Float64Array(tiers.length);
    this.dearAccess = new Float64Array(tiers.length);
  }

  /**
   * Every context chooses.
   * @param perUnit price by cell. @param loose sums by cell, bytes unrounded, filled.
   */
  choose(perUnit: Float64Array, loose: Float64Array, choices: Int32Array | undefined): Pass {
    const { problem, lists, latency, accessed, cheapAccess } = this;
    const { demand, allowed, curveOf, recomputeSeconds, forms, alpha, tiers } = problem;
    const { fullBytes, accesses, requestShare } = demand;
    const { offsets, form, points } = lists;
    const T = tiers.length;
    const count = forms.storedBytes.length;
    const n = demand.contexts;
    this.costPerAccess(perUnit, cheapAccess);
    loose.fill(0);
    const priced = new KahanSum();
    for (let i = 0; i < n; i++) {
      const f = accesses[i]!;
      const full = fullBytes[i]!;
      const weight = f * requestShare[i]!;
      const worth = alpha * weight;
      const mask = allowed[i]!;
      const curve = curveOf[i]!;
      const first = offsets[curve]!;
      const last = offsets[curve + 1]! - 1;
      const fewest = points[3 * first + 2]!;
      let winning = mask & (1 << T) ? worth - f * recomputeSeconds[i]! : Number.NEGATIVE_INFINITY;
      let tier = -1;
      let entry = 0;
      let e = first;
      let before = Number.POSITIVE_INFINITY;
      let startBefore = Number.POSITIVE_INFINITY;
      for (let t = 0; t < T; t++) {
        if ((mask & (1 << t)) === 0) continue;
        const start = weight * latency[t]!;
        const perFraction = full * (f * cheapAccess[t]! + perUnit[t]!);
        // No better than a tier looked at, or even whole at the cost of the fewest bytes it would not win.
        if (perFraction >= before && start >= startBefore) continue;
        if (worth - start - perFraction * fewest <= winning) continue;
        // The best entry lies on that side of the last tier's where the cost is worth it.
        if (perFraction <= before) while (e < last && worth * points[3 * e]! > perFraction) e++;
        else while (e > first && worth * points[3 * e - 3]! <= perFraction) e--;
        before = perFraction;
        startBefore = start;
        const value = worth * points[3 * e + 1]! - start - perFraction * points[3 * e + 2]!;
        if (value > winning) {
          winning = value;
          tier = t;
          entry = e;
        }
      }
      priced.add(winning);
      if (tier >= 0) {
        const stored = full * points[3 * entry + 2]!;
        loose[tier]! += stored;
        loose[accessed + tier]! += stored * f;
        if (choices !== undefined) choices[i] = tier * count + form[entry]!;
      } else if (choices !== undefined) choices[i] = KEEP_NOTHING;
    }
    return { priced: priced.total, ...NO_SUMS };
  }

  /**
   * Every context chooses that chooses alike everywhere in a box of prices: within a tier values are linear in the
   * price, so an entry that is best at both ends is best between; and no other tier at its cheapest beats it at its
   * dearest. The others are marked OPEN.
   * @param loose sums by cell, bytes unrounded, and @param exact as a plan has them; both filled.
   */
  split(
    low: Float64Array,
    high: Float64Array,
    choices: Int32Array,
    loose: Float64Array,
    exact: Float64Array,
  ): Pass {
    const { problem, lists, latency, accessed, cheapAccess, dearAccess, secondsPerByte } = this;
    const { demand, allowed, curveOf, recomputeSeconds, forms, alpha, tiers } = problem;
    const { fullBytes, accesses, requestShare } = demand;
    const { offsets, form, points } = lists;
    const T = tiers.length;
    const count = forms.storedBytes.length;
    const n = demand.contexts;
    this.costPerAccess(low, cheapAccess);
    this.costPerAccess(high, dearAccess);
    loose.fill(0);
    exact.fill(0);
    const priced = new KahanSum();
    const utility = new KahanSum();
    let opened = 0;
    let ttftSeconds = 0;
    let quality = 0;
    let kept = 0;
    for (let i = 0; i < n; i++) {
      const f = accesses[i]!;
      const full = fullBytes[i]!;
      const weight = f * requestShare[i]!;
      const worth = alpha * weight;
      const mask = allowed[i]!;
      const curve = curveOf[i]!;
      const first = offsets[curve]!;
      const last = offsets[curve + 1]! - 1;
      const fewest = points[3 * first + 2]!;
      // The winner is worth most at the high prices; `rival` is the most that another reaches at the low ones.
      let winning = mask & (1 << T) ? worth - f * recomputeSeconds[i]! : Number.NEGATIVE_INFINITY;
      let winningLow = winning;
      let rival = Number.NEGATIVE_INFINITY;
      let tier = -1;
      let entry = 0;
      let steady = true;
      let e = first;
      let cheapBefore = Number.POSITIVE_INFINITY;
      let dearBefore = Number.POSITIVE_INFINITY;
      let startBefore = Number.POSITIVE_INFINITY;
      for (let t = 0; t < T; t++) {
        if ((mask & (1 << t)) === 0) continue;
        const start = weight * latency[t]!;
        const cheap = full * (f * cheapAccess[t]! + low[t]!);
        if (cheap >= dearBefore && start >= startBefore) continue;
        if (worth - start - cheap * fewest <= winning) continue;
        if (cheap <= cheapBefore) while (e < last && worth * points[3 * e]! > cheap) e++;
        else while (e > first && worth * points[3 * e - 3]! <= cheap) e--;
        const dear = full * (f * dearAccess[t]! + high[t]!);
        cheapBefore = cheap;
        dearBefore = dear;
        startBefore = start;
        const gross = worth * points[3 * e + 1]! - start;
        const fraction = points[3 * e + 2]!;
        const most = gross - cheap * fraction;
        const least = gross - dear * fraction;
        if (least > winning) {
          if (winningLow > rival) rival = winningLow;
          winning = least;
          winningLow = most;
          tier = t;
          entry = e;
          steady = e === first || worth * points[3 * e - 3]! > dear;
        } else if (most > rival) rival = most;
      }
      if (!steady || rival > winning) {
        choices[i] = OPEN;
        opened++;
        continue;
      }
      priced.add(winningLow);
      if (tier < 0) {
        choices[i] = KEEP_NOTHING;
        utility.add(winning);
        ttftSeconds += f * recomputeSeconds[i]!;
        quality += weight;
        continue;
      }
      choices[i] = tier * count + form[entry]!;
      const stored = full * points[3 * entry + 2]!;
      loose[tier]! += stored;
      loose[accessed + tier]! += stored * f;
      // Bytes are whole: at most one too many where a product falls on a whole number, never one too few.
      const rounded = Math.ceil(stored);
      exact[tier]! += rounded;
      exact[accessed + tier]! += rounded * f;
      const good = points[3 * entry + 1]!;
      const seconds = weight * latency[tier]! + f * rounded * secondsPerByte[tier]!;
      utility.add(worth * good - seconds);
      ttftSeconds += seconds;
      quality += weight * good;
      kept += weight;
    }
    return { priced: priced.total, opened, utility: utility.total, ttftSeconds, quality, kept };
  }

  private costPerAccess(perUnit: Float64Array, into: Float64Array): void {
    for (let t = 0; t < into.length; t++) into[t] = this.secondsPerByte[t]! + perUnit[this.accessed + t]!;
  }
}
