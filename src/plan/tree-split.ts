import type { Box } from './nested-cores.js';
import { KEEP_NOTHING, type Problem } from './problem.js';
import { RowCells } from './row-cells.js';
import type { Row } from './rows.js';
import type { Split } from './scan.js';
import { OPEN } from './scan-plain.js';
import { KahanSum } from './sums.js';

/** What hangs on nothing; else the number of a group. */
export const FREE = -1;
/** What hangs on a context that is not kept. */
const DROPPED = -2;
/** The tier of a context that is not in the same one everywhere in a box of prices. */
const ANY_TIER = -1;

/** Whether a context is worth keeping, with what is kept below it, in a box of prices. */
const NEVER = 0;
const SOMEWHERE = 1;
const EVERYWHERE = 2;

/** Contexts that are kept all together or not at all. */
export interface Groups {
  readonly length: number;
  /** The group that a group is kept below, FREE where there is none; it comes first. */
  readonly above: Int32Array;
  /**
   * Sums over the contexts of settled tier, `group · (1 + rows)` on: the utility they win over recomputing, then what
   * they use of each row.
   */
  readonly totals: Float64Array;
}

/** A forest in a box of prices: what is settled, and what is open. */
export interface TreeSplit {
  readonly split: Split;
  readonly groups: Groups;
  /** By open context: its group, FREE if it is kept for sure; and its tier, ANY_TIER where that is open. */
  readonly groupOf: Int32Array;
  readonly tierOf: Int8Array;
  /** Positions of those whose tier is open among the open contexts. */
  readonly choosers: Int32Array;
  /** Utility of recomputing all open contexts. */
  readonly openRecompute: number;
}

/**
 * Settles what can be settled of a forest as PlainTree plans it. Keeping is worth less the dearer bytes are: what is
 * kept at the dear end of a box is kept in all of it, what is not kept at its cheap end is kept nowhere in it. Below
 * what is kept for sure every child is a tree of its own.
 */
export function splitTree(
  problem: Problem,
  rows: readonly Row[],
  subtreeRecompute: Float64Array,
  box: Box,
): TreeSplit {
  const cells = new RowCells(problem, rows);
  const kept = new Uint8Array(problem.demand.contexts);
  const tierOf = new Int8Array(problem.demand.contexts);
  const unsettled = climb(problem, cells, subtreeRecompute, box, kept, tierOf);
  return contract(problem, rows, cells, kept, tierOf, unsettled);
}

/**
 * Leaves to roots at both ends of the box at once.
 * @param kept filled with where each context is worth keeping, @param tierOf with its tier.
 * @returns how many contexts are not settled by themselves.
 */
function climb(
  problem: Problem,
  cells: RowCells,
  subtreeRecompute: Float64Array,
  box: Box,
  kept: Uint8Array,
  tierOf: Int8Array,
): number {
  const { demand, allowed, tiers, alpha } = problem;
  const { fullBytes, accesses, requestShare, parents } = demand;
  const T = tiers.length;
  const low = new Float64Array(cells.length);
  const high = new Float64Array(cells.length);
  cells.price(box.low, low);
  cells.price(box.high, high);
  const latency = Float64Array.from(tiers, (tier) => tier.latencySeconds);
  const perAccess = (perUnit: Float64Array) =>
    Float64Array.from(tiers, (tier, t) => tier.secondsPerByte + perUnit[cells.accessed + t]!);
  const cheapAccess = perAccess(low);
  const dearAccess = perAccess(high);
  // Side by side, because they are read together: the sums over the children at the cheap and at the dear end.
  const below = new Float64Array(2 * demand.contexts);
  let unsettled = 0;
  for (let i = demand.contexts - 1; i >= 0; i--) {
    const f = accesses[i]!;
    const full = fullBytes[i]!;
    const weight = f * requestShare[i]!;
    const mask = allowed[i]!;
    // The winner is worth most at the dear end; `rival` is the most that another tier reaches at the cheap one.
    let least = Number.NEGATIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    let rival = Number.NEGATIVE_INFINITY;
    let tier = ANY_TIER;
    for (let t = 0; t < T; t++) {
      if ((mask & (1 << t)) === 0) continue;
      const gross = weight * (alpha - latency[t]!);
      const cheap = gross - full * (f * cheapAccess[t]! + low[t]!);
      const dear = gross - full * (f * dearAccess[t]! + high[t]!);
      if (dear > least) {
        if (most > rival) rival = most;
        least = dear;
        most = cheap;
        tier = t;
      } else if (cheap > rival) rival = cheap;
    }
    if (rival > least) tier = ANY_TIER;
    least += below[2 * i + 1]!;
    most = Math.max(most, rival) + below[2 * i]!;
    const nothing = subtreeRecompute[i]!;
    const keep = least > nothing ? EVERYWHERE : most > nothing ? SOMEWHERE : NEVER;
    kept[i] = keep;
    tierOf[i] = tier;
    if (keep === SOMEWHERE || tier === ANY_TIER) unsettled++;
    const parent = parents[i]!;
    if (parent < 0) continue;
    below[2 * parent]! += Math.max(most, nothing);
    below[2 * parent + 1]! += Math.max(least, nothing);
  }
  return unsettled;
}

/** Roots to leaves: sums up what is settled, and groups the rest. */
function contract(
  problem: Problem,
  rows: readonly Row[],
  cells: RowCells,
  kept: Uint8Array,
  tierOf: Int8Array,
  unsettled: number,
): TreeSplit {
  const { demand, tiers, forms, curveOf, alpha, recomputeSeconds } = problem;
  const { fullBytes, accesses, requestShare, parents } = demand;
  const n = demand.contexts;
  const count = forms.storedBytes.length;
  const stride = 1 + rows.length;
  const above = new Int32Array(unsettled);
  const totals = new Float64Array(unsettled * stride);
  const choosers = new Int32Array(unsettled);
  const choices = new Int32Array(n);
  const open = new Int32Array(n);
  const groupOf = new Int32Array(n);
  const openTier = new Int8Array(n);
  /** What hangs on a context hangs on this. */
  const holder = new Int32Array(n);
  const sums = new Float64Array(cells.length);
  const settled = new KahanSum();
  const openRecompute = new KahanSum();
  let groups = 0;
  let choosing = 0;
  let opened = 0;
  let ttftSeconds = 0;
  let quality = 0;
  let keptWeight = 0;
  for (let i = 0; i < n; i++) {
    let group = parents[i]! < 0 ? FREE : holder[parents[i]!]!;
    const keep = kept[i]!;
    const f = accesses[i]!;
    const weight = f * requestShare[i]!;
    const recompute = f * recomputeSeconds[i]!;
    if (group === DROPPED || keep === NEVER) {
      holder[i] = DROPPED;
      choices[i] = KEEP_NOTHING;
      settled.add(alpha * weight - recompute);
      ttftSeconds += recompute;
      quality += weight;
      continue;
    }
    if (keep === SOMEWHERE) {
      above[groups] = group;
      group = groups++;
    }
    holder[i] = group;
    const tier = tierOf[i]!;
    if (tier === ANY_TIER) choosers[choosing++] = opened;
    else {
      const full = fullBytes[i]!;
      const { latencySeconds, secondsPerByte } = tiers[tier]!;
      const seconds = weight * latencySeconds + f * full * secondsPerByte;
      if (group === FREE) {
        choices[i] = tier * count + forms.offsets[curveOf[i]!]!;
        sums[tier]! += full;
        sums[cells.accessed + tier]! += full * f;
        settled.add(alpha * weight - seconds);
        ttftSeconds += seconds;
        quality += weight;
        keptWeight += weight;
        continue;
      }
      let at = group * stride;
      totals[at++]! += recompute - seconds;
      for (const row of rows) {
        if (row.tier === tier) totals[at]! += row.kind === 'bandwidth' ? full * f : full;
        at++;
      }
    }
    choices[i] = OPEN;
    openRecompute.add(alpha * weight - recompute);
    open[opened] = i;
    groupOf[opened] = group;
    openTier[opened++] = tier;
  }
  const use = new Float64Array(rows.length);
  cells.addUse(sums, use);
  const utility = settled.total;
  return {
    split: {
      choices,
      open: open.slice(0, opened),
      loose: { utility, use },
      // Whole caches have whole bytes: a plan has the same sums as the bound.
      exact: { utility, use, ttftSeconds, quality, kept: keptWeight, usedBytes: cells.bytesByTier(sums) },
    },
    groups: { length: groups, above, totals },
    groupOf: groupOf.slice(0, opened),
    tierOf: openTier.slice(0, opened),
    choosers: choosers.slice(0, choosing),
    openRecompute: openRecompute.total,
  };
}
