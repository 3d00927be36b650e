import type { Lagrangian } from './lagrangian.js';
import { KEEP_NOTHING, type Problem, storedBytesOf, utilityOf } from './problem.js';
import { addUse, BytePrices, type Row } from './rows.js';

/**
 * The forms worth scanning, per curve, in columns: the upper concave envelope of (bytes fraction, quality),
 * or the Pareto list where decompression or a tier's table breaks the envelope.
 */
interface ScanList {
  readonly offsets: Int32Array;
  readonly form: Int32Array;
  readonly fraction: Float64Array;
  readonly quality: Float64Array;
  readonly decompress: Float64Array;
  /** Every list is an envelope: values along it rise, then fall. */
  readonly concave: boolean;
}

/**
 * The Lagrangian of contexts without parents: a pass over typed arrays, no allocation. It may stand for a
 * part of the contexts only, the others' choices being fixed (see `restrict`).
 */
export class IndependentLagrangian implements Lagrangian {
  readonly limits: Float64Array;
  private readonly lists: ScanList;
  private readonly prices: BytePrices;
  /** Whether only capacities and bandwidths bind and nothing else costs: then the short sums hold. */
  private readonly plain: boolean;
  private readonly capacityRow: Int32Array;
  private readonly bandwidthRow: Int32Array;

  constructor(
    private readonly problem: Problem,
    private readonly rows: readonly Row[],
    /** The contexts that still choose; all when undefined. */
    private readonly open?: Int32Array,
    /** What the fixed contexts reach and use. */
    private readonly fixedUtility = 0,
    private readonly fixedUse?: Float64Array,
    /** The fixed contexts' choices, copied into every answer. */
    private readonly fixedChoices?: Int32Array,
    lists?: ScanList,
  ) {
    this.limits = Float64Array.from(rows, (row) => row.limit);
    const tabled = problem.tiers.some((tier) => tier.tabled);
    this.lists = lists ?? scanLists(problem, tabled);
    this.prices = new BytePrices(problem, rows);
    this.plain = !tabled && problem.inForce === undefined && problem.budgets === undefined;
    this.capacityRow = rowByTier(problem, rows, 'capacity');
    this.bandwidthRow = rowByTier(problem, rows, 'bandwidth');
  }

  /** The contexts that are not fixed; undefined when none is. */
  get openContexts(): Int32Array | undefined {
    return this.open;
  }

  choose(prices: Float64Array, use: Float64Array, choices?: Int32Array): number {
    use.fill(0);
    if (this.fixedUse !== undefined) use.set(this.fixedUse);
    if (choices !== undefined && this.fixedChoices !== undefined) choices.set(this.fixedChoices);
    return this.fixedUtility + this.scan(prices, use, choices, undefined);
  }

  /**
   * Fixes every context whose choice is the same at all corners of a box of prices: by linearity it is then
   * the same everywhere inside.
   * Called on the whole problem only.
   * @returns the Lagrangian of the rest, valid inside the box.
   */
  restrict(low: Float64Array, high: Float64Array): IndependentLagrangian {
    const n = this.problem.demand.contexts;
    const choices = new Int32Array(n);
    const use = new Float64Array(this.rows.length);
    const moved = new Uint8Array(n);
    const corner = new Float64Array(low);
    this.choose(corner, use, choices);
    for (let bits = 1; bits < 1 << low.length; bits++) {
      for (let r = 0; r < low.length; r++) corner[r] = (bits >> r) & 1 ? high[r]! : low[r]!;
      use.fill(0);
      this.scan(corner, use, choices, moved);
    }
    let count = 0;
    for (let i = 0; i < n; i++) count += moved[i]!;
    const open = new Int32Array(count);
    const fixedUse = new Float64Array(this.rows.length);
    let fixedUtility = 0;
    for (let i = 0, at = 0; i < n; i++) {
      if (moved[i] === 1) open[at++] = i;
      else fixedUtility += this.settle(i, choices[i]!, fixedUse);
    }
    return new IndependentLagrangian(
      this.problem,
      this.rows,
      open,
      fixedUtility,
      fixedUse,
      choices,
      this.lists,
    );
  }

  /** Adds a fixed choice's use; returns its utility. */
  private settle(i: number, choice: number, use: Float64Array): number {
    addUse(this.problem, this.rows, i, choice, use);
    return utilityOf(this.problem, i, choice);
  }

  /** The hot loop. With `moved`, choices are compared, not written, and differing contexts marked. */
  private scan(
    prices: Float64Array,
    use: Float64Array,
    choices: Int32Array | undefined,
    moved: Uint8Array | undefined,
  ): number {
    if (!this.plain) return this.scanAny(prices, use, choices, moved);
    const { demand, alpha, allowed, curveOf, recomputeSeconds, tiers, forms } = this.problem;
    const { fullBytes, accesses, requestShare } = demand;
    const { offsets, form, fraction, quality, decompress, concave } = this.lists;
    const { capacityRow, bandwidthRow, open } = this;
    const count = forms.storedBytes.length;
    const T = tiers.length;
    const latency = Float64Array.from(tiers, (tier) => tier.latencySeconds);
    const perByte = Float64Array.from(tiers, (tier) => tier.secondsPerByte);
    const capacityPrice = Float64Array.from(tiers, (_, t) =>
      capacityRow[t]! < 0 ? 0 : prices[capacityRow[t]!]!,
    );
    const bandwidthPrice = Float64Array.from(tiers, (_, t) =>
      bandwidthRow[t]! < 0 ? 0 : prices[bandwidthRow[t]!]!,
    );
    const length = open === undefined ? demand.contexts : open.length;
    let utility = 0;
    let carry = 0;
    for (let k = 0; k < length; k++) {
      const i = open === undefined ? k : open[k]!;
      if (moved !== undefined && moved[i] === 1) continue;
      const f = accesses[i]!;
      const bytes = fullBytes[i]!;
      const share = requestShare[i]!;
      const mask = allowed[i]!;
      const worth = f * alpha * share;
      const work = f * bytes;
      const first = offsets[curveOf[i]!]!;
      const end = offsets[curveOf[i]! + 1]!;
      let best = Number.NEGATIVE_INFINITY;
      let bestTier = -1;
      let bestEntry = 0;
      if (mask & (1 << T)) best = worth - f * recomputeSeconds[i]!;
      for (let t = 0; t < T; t++) {
        if ((mask & (1 << t)) === 0) continue;
        const perFraction = work * (perByte[t]! + bandwidthPrice[t]!) + capacityPrice[t]! * bytes;
        const base = -f * share * latency[t]!;
        let before = Number.NEGATIVE_INFINITY;
        for (let e = first; e < end; e++) {
          const value = base + worth * quality[e]! - perFraction * fraction[e]! - work * decompress[e]!;
          if (value > best) {
            best = value;
            bestTier = t;
            bestEntry = e;
          } else if (concave && value < before) break;
          before = value;
        }
      }
      const choice = bestTier < 0 ? KEEP_NOTHING : bestTier * count + form[bestEntry]!;
      if (moved !== undefined) {
        if (choices![i] !== choice) moved[i] = 1;
        continue;
      }
      if (choices !== undefined) choices[i] = choice;
      let gain = best;
      if (bestTier >= 0) {
        const stored = bytes * fraction[bestEntry]!;
        const capacity = capacityRow[bestTier]!;
        const bandwidth = bandwidthRow[bestTier]!;
        gain += stored * (capacityPrice[bestTier]! + f * bandwidthPrice[bestTier]!);
        if (capacity >= 0) use[capacity]! += stored;
        if (bandwidth >= 0) use[bandwidth]! += stored * f;
      }
      // Kahan's sum: a million terms of one sign would otherwise lose the last digits of the bound.
      const term = gain - carry;
      const next = utility + term;
      carry = next - utility - term;
      utility = next;
    }
    return utility;
  }

  /** The same where times come from a table, or more binds or costs than tiers' bytes: slower, by the shared sums. */
  private scanAny(
    prices: Float64Array,
    use: Float64Array,
    choices: Int32Array | undefined,
    moved: Uint8Array | undefined,
  ): number {
    const { problem } = this;
    const { demand, allowed, curveOf, tiers, forms, inForce } = problem;
    this.prices.set(prices);
    const { offsets, form } = this.lists;
    const count = forms.storedBytes.length;
    const length = this.open === undefined ? demand.contexts : this.open.length;
    let utility = 0;
    for (let k = 0; k < length; k++) {
      const i = this.open === undefined ? k : this.open[k]!;
      let best = Number.NEGATIVE_INFINITY;
      let choice = KEEP_NOTHING;
      if (allowed[i]! & (1 << tiers.length)) best = utilityOf(problem, i, KEEP_NOTHING);
      const before = inForce === undefined ? KEEP_NOTHING : inForce[i]!;
      for (let t = 0; t < tiers.length; t++) {
        if ((allowed[i]! & (1 << t)) === 0) continue;
        const last = offsets[curveOf[i]! + 1]!;
        // One more round for the form in force, which need not be on the list.
        for (let e = offsets[curveOf[i]!]!; e <= last; e++) {
          if (e === last && before === KEEP_NOTHING) continue;
          const option = e < last ? form[e]! : before % count;
          const there = t * count + option;
          const value =
            utilityOf(problem, i, there) - this.prices.of(i, t, there) * storedBytesOf(problem, i, option);
          if (value > best) {
            best = value;
            choice = there;
          }
        }
      }
      if (moved !== undefined) {
        if (choices![i] !== choice) moved[i] = 1;
        continue;
      }
      if (choices !== undefined) choices[i] = choice;
      utility += this.settle(i, choice, use);
    }
    return utility;
  }
}

function rowByTier(problem: Problem, rows: readonly Row[], kind: Row['kind']): Int32Array {
  return Int32Array.from(problem.tiers, (_, t) =>
    rows.findIndex((row) => row.kind === kind && row.tier === t),
  );
}

/** Shortens every curve to the forms that can be best at some price. */
function scanLists(problem: Problem, tabled: boolean): ScanList {
  const { forms, demand, curveOf } = problem;
  const curves = forms.offsets.length - 1;
  const member = new Int32Array(curves).fill(-1);
  for (let i = 0; i < curveOf.length; i++) member[curveOf[i]!] = i;
  const kept: { form: number; fraction: number }[] = [];
  const offsets = new Int32Array(curves + 1);
  let concave = !tabled;
  for (let c = 0; c < curves; c++) {
    const full = member[c]! < 0 ? 1 : demand.fullBytes[member[c]!]!;
    const entries: { form: number; fraction: number }[] = [];
    for (let form = forms.offsets[c]!; form < forms.offsets[c + 1]!; form++) {
      const scale = forms.ofBytes[form]!;
      entries.push({
        form,
        fraction: forms.lossyOf[form]! < 0 ? 1 : forms.storedBytes[form]! / (scale === 0 ? full : scale),
      });
    }
    const free = entries.every(({ form }) => forms.decompressSecondsPerByte[form] === 0);
    concave &&= free;
    for (const entry of free && !tabled
      ? envelope(entries, forms.quality)
      : pareto(entries, forms.quality, forms.decompressSecondsPerByte))
      kept.push(entry);
    offsets[c + 1] = kept.length;
  }
  return {
    offsets,
    form: Int32Array.from(kept, (entry) => entry.form),
    fraction: Float64Array.from(kept, (entry) => entry.fraction),
    quality: Float64Array.from(kept, (entry) => forms.quality[entry.form]!),
    decompress: Float64Array.from(kept, (entry) => forms.decompressSecondsPerByte[entry.form]!),
    concave,
  };
}

type Entry = { form: number; fraction: number };

function pareto(entries: readonly Entry[], quality: Float64Array, decompress: Float64Array): Entry[] {
  return entries.filter(
    (a, i) =>
      !entries.some((b, j) => {
        if (i === j) return false;
        const noWorse =
          b.fraction <= a.fraction &&
          quality[b.form]! >= quality[a.form]! &&
          decompress[b.form]! <= decompress[a.form]!;
        const same =
          b.fraction === a.fraction &&
          quality[b.form] === quality[a.form] &&
          decompress[b.form] === decompress[a.form];
        return noWorse && (!same || j < i);
      }),
  );
}

/** Upper concave envelope of quality over fraction, left to right. */
function envelope(entries: readonly Entry[], quality: Float64Array): Entry[] {
  const sorted = [...entries].sort(
    (a, b) => a.fraction - b.fraction || quality[b.form]! - quality[a.form]! || a.form - b.form,
  );
  const hull: Entry[] = [];
  for (const entry of sorted) {
    const last = hull.at(-1);
    if (last !== undefined && quality[entry.form]! <= quality[last.form]!) continue;
    while (
      hull.length >= 2 &&
      slope(hull.at(-2)!, hull.at(-1)!, quality) <= slope(hull.at(-1)!, entry, quality)
    )
      hull.pop();
    hull.push(entry);
  }
  return hull;
}

function slope(a: Entry, b: Entry, quality: Float64Array): number {
  return (quality[b.form]! - quality[a.form]!) / (b.fraction - a.fraction);
}
