import { KEEP_NOTHING, type Problem } from './problem.js';
import { RowCells } from './row-cells.js';
import type { Row } from './rows.js';
import { KahanSum } from './sums.js';

/** The tier of a context that is better not kept, with all below it. */
const NOT_KEPT = -1;

/**
 * The passes of TreeLagrangian where nothing lossy is offered and times are affine in bytes: the only state of a path
 * is whether it is kept, so one number per context climbs.
 */
export class PlainTree {
  private readonly cells: RowCells;
  private readonly perUnit: Float64Array;
  private readonly sums: Float64Array;
  /** Sum over the children of the best that each of them can do. */
  private readonly below: Float64Array;
  private readonly tierOf: Int8Array;

  /** Whether a problem is of this kind. */
  static suits({ tiers, forms, budgets, inForce }: Problem): boolean {
    const affine = tiers.every((tier) => !tier.tabled);
    return affine && forms.lossyNames.length === 0 && budgets === undefined && inForce === undefined;
  }

  /** @param subtreeRecompute utility of recomputing each context with all below it. */
  constructor(
    private readonly problem: Problem,
    rows: readonly Row[],
    private readonly subtreeRecompute: Float64Array,
  ) {
    const n = problem.demand.contexts;
    this.cells = new RowCells(problem, rows);
    this.perUnit = new Float64Array(this.cells.length);
    this.sums = new Float64Array(this.cells.length);
    this.below = new Float64Array(n);
    this.tierOf = new Int8Array(n);
  }

  /** See Lagrangian. */
  choose(prices: Float64Array, use: Float64Array, choices: Int32Array | undefined): number {
    this.cells.price(prices, this.perUnit);
    this.climb();
    const utility = this.descend(choices);
    use.fill(0);
    this.cells.addUse(this.sums, use);
    return utility;
  }

  /** Leaves to roots: the best tier of each context, or none where recomputing all below is better. */
  private climb(): void {
    const { problem, cells, perUnit, below, tierOf, subtreeRecompute } = this;
    const { demand, allowed, tiers, alpha } = problem;
    const { fullBytes, accesses, requestShare, parents } = demand;
    const T = tiers.length;
    const latency = Float64Array.from(tiers, (tier) => tier.latencySeconds);
    const perAccess = Float64Array.from(
      tiers,
      (tier, t) => tier.secondsPerByte + perUnit[cells.accessed + t]!,
    );
    below.fill(0);
    for (let i = demand.contexts - 1; i >= 0; i--) {
      const f = accesses[i]!;
      const full = fullBytes[i]!;
      const weight = f * requestShare[i]!;
      const mask = allowed[i]!;
      let kept = Number.NEGATIVE_INFINITY;
      let tier = NOT_KEPT;
      for (let t = 0; t < T; t++) {
        if ((mask & (1 << t)) === 0) continue;
        const value = weight * (alpha - latency[t]!) - full * (f * perAccess[t]! + perUnit[t]!);
        if (value > kept) {
          kept = value;
          tier = t;
        }
      }
      kept += below[i]!;
      const nothing = subtreeRecompute[i]!;
      tierOf[i] = kept > nothing ? tier : NOT_KEPT;
      const parent = parents[i]!;
      if (parent >= 0) below[parent]! += Math.max(kept, nothing);
    }
  }

  /** Roots to leaves: what is kept is kept only below what is kept. Sums up by cell. @returns the utility. */
  private descend(choices: Int32Array | undefined): number {
    const { problem, cells, sums, tierOf } = this;
    const { demand, tiers, forms, curveOf, alpha, recomputeSeconds } = problem;
    const { fullBytes, accesses, requestShare, parents } = demand;
    const count = forms.storedBytes.length;
    const latency = Float64Array.from(tiers, (tier) => tier.latencySeconds);
    const perByte = Float64Array.from(tiers, (tier) => tier.secondsPerByte);
    const utility = new KahanSum();
    sums.fill(0);
    for (let i = 0; i < demand.contexts; i++) {
      const parent = parents[i]!;
      if (parent >= 0 && tierOf[parent] === NOT_KEPT) tierOf[i] = NOT_KEPT;
      const f = accesses[i]!;
      const weight = f * requestShare[i]!;
      const tier = tierOf[i]!;
      if (tier === NOT_KEPT) {
        utility.add(alpha * weight - f * recomputeSeconds[i]!);
        if (choices !== undefined) choices[i] = KEEP_NOTHING;
        continue;
      }
      const full = fullBytes[i]!;
      utility.add(weight * (alpha - latency[tier]!) - f * full * perByte[tier]!);
      sums[tier]! += full;
      sums[cells.accessed + tier]! += full * f;
      if (choices !== undefined) choices[i] = tier * count + forms.offsets[curveOf[i]!]!;
    }
    return utility.total;
  }
}
