import type { Lagrangian } from './lagrangian.js';
import { KEEP_NOTHING, type Problem } from './problem.js';
import { RowCells } from './row-cells.js';
import type { Row } from './rows.js';
import type { Split } from './scan.js';
import { KahanSum } from './sums.js';
import { FREE, type TreeSplit } from './tree-split.js';

/**
 * The Lagrangian of a forest at the prices of a box, where most of it is settled: the passes of PlainTree over what
 * is left. A context whose tier is open takes its best, and its group's value climbs.
 */
export class TreeCore implements Lagrangian {
  readonly limits: Float64Array;
  readonly split: Split;
  private readonly cells: RowCells;
  private readonly perUnit: Float64Array;
  private readonly sums: Float64Array;
  /** By group: what it wins over recomputing with all that is kept below it, what its bytes cost subtracted. */
  private readonly value: Float64Array;
  private readonly kept: Uint8Array;
  /** By chooser: its tier where it is kept. */
  private readonly chosen: Int8Array;
  private readonly latency: Float64Array;
  private readonly secondsPerByte: Float64Array;

  constructor(
    private readonly problem: Problem,
    rows: readonly Row[],
    private readonly tree: TreeSplit,
  ) {
    this.limits = Float64Array.from(rows, (row) => row.limit);
    this.split = tree.split;
    this.cells = new RowCells(problem, rows);
    this.perUnit = new Float64Array(this.cells.length);
    this.sums = new Float64Array(this.cells.length);
    this.value = new Float64Array(tree.groups.length);
    this.kept = new Uint8Array(tree.groups.length);
    this.chosen = new Int8Array(tree.choosers.length);
    this.latency = Float64Array.from(problem.tiers, (tier) => tier.latencySeconds);
    this.secondsPerByte = Float64Array.from(problem.tiers, (tier) => tier.secondsPerByte);
  }

  /** @param choices filled for the open contexts. */
  choose(prices: Float64Array, use: Float64Array, choices?: Int32Array): number {
    const { cells, sums, split, tree } = this;
    cells.price(prices, this.perUnit);
    this.chooseTiers();
    this.climb(prices);
    sums.fill(0);
    use.set(split.loose.use);
    const won = new KahanSum();
    this.descend(won, use);
    this.sumChoosers(won);
    cells.addUse(sums, use);
    if (choices !== undefined) this.readOff(choices);
    return split.loose.utility + tree.openRecompute + won.total;
  }

  /** The best tier of every context whose tier is open; what it wins there goes to its group. */
  private chooseTiers(): void {
    const { problem, tree, cells, perUnit, value, chosen, latency, secondsPerByte } = this;
    const { choosers, groupOf, split } = tree;
    const { allowed, recomputeSeconds, demand } = problem;
    const { accesses, requestShare, fullBytes } = demand;
    const T = latency.length;
    const perAccess = secondsPerByte.map((seconds, t) => seconds + perUnit[cells.accessed + t]!);
    value.fill(0);
    for (let c = 0; c < choosers.length; c++) {
      const i = split.open[choosers[c]!]!;
      const f = accesses[i]!;
      const full = fullBytes[i]!;
      const weight = f * requestShare[i]!;
      const mask = allowed[i]!;
      let least = Number.POSITIVE_INFINITY;
      for (let t = 0; t < T; t++) {
        if ((mask & (1 << t)) === 0) continue;
        const cost = weight * latency[t]! + full * (f * perAccess[t]! + perUnit[t]!);
        if (cost < least) {
          least = cost;
          chosen[c] = t;
        }
      }
      const group = groupOf[choosers[c]!]!;
      if (group !== FREE) value[group]! += f * recomputeSeconds[i]! - least;
    }
  }

  /** Leaves to roots: which groups are worth keeping. */
  private climb(prices: Float64Array): void {
    const { tree, value, kept } = this;
    const { length, above, totals } = tree.groups;
    const R = prices.length;
    for (let g = length - 1, at = g * (1 + R); g >= 0; g--, at -= 1 + R) {
      let won = value[g]! + totals[at]!;
      for (let r = 0; r < R; r++) won -= prices[r]! * totals[at + 1 + r]!;
      kept[g] = won > 0 ? 1 : 0;
      if (won > 0 && above[g] !== FREE) value[above[g]!]! += won;
    }
  }

  /** Roots to leaves: keeps only below what is kept, and sums up. */
  private descend(won: KahanSum, use: Float64Array): void {
    const { tree, kept } = this;
    const { length, above, totals } = tree.groups;
    const R = use.length;
    for (let g = 0, at = 0; g < length; g++, at += 1 + R) {
      if (above[g] !== FREE && kept[above[g]!] === 0) kept[g] = 0;
      if (kept[g] === 0) continue;
      won.add(totals[at]!);
      for (let r = 0; r < R; r++) use[r]! += totals[at + 1 + r]!;
    }
  }

  private sumChoosers(won: KahanSum): void {
    const { problem, tree, cells, sums, kept, chosen, latency, secondsPerByte } = this;
    const { choosers, groupOf, split } = tree;
    const { recomputeSeconds, demand } = problem;
    const { accesses, requestShare, fullBytes } = demand;
    for (let c = 0; c < choosers.length; c++) {
      const group = groupOf[choosers[c]!]!;
      if (group !== FREE && kept[group] === 0) continue;
      const i = split.open[choosers[c]!]!;
      const tier = chosen[c]!;
      const f = accesses[i]!;
      const full = fullBytes[i]!;
      won.add(f * (recomputeSeconds[i]! - requestShare[i]! * latency[tier]! - full * secondsPerByte[tier]!));
      sums[tier]! += full;
      sums[cells.accessed + tier]! += full * f;
    }
  }

  private readOff(choices: Int32Array): void {
    const { kept, chosen } = this;
    const { split, groupOf, tierOf, choosers } = this.tree;
    const { forms, curveOf } = this.problem;
    const count = forms.storedBytes.length;
    for (let k = 0, c = 0; k < split.open.length; k++) {
      const i = split.open[k]!;
      const tier = choosers[c] === k ? chosen[c++]! : tierOf[k]!;
      const group = groupOf[k]!;
      choices[i] =
        group === FREE || kept[group] === 1 ? tier * count + forms.offsets[curveOf[i]!]! : KEEP_NOTHING;
    }
  }
}
