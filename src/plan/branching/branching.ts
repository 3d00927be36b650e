import type { OpenCore } from './open-core.js';

/** A spread that is mere rounding, as a share of what is used. */
const ROUNDING = 1e-9;

/** A cut through the options of one context. */
export interface Branching {
  /** By option: whether it belongs to the second part. Options of other contexts belong to both. */
  readonly second: Uint8Array;
  /** The context's position. */
  readonly at: number;
}

/**
 * Where to cut a core in two: at the context whose share in the mix of answers moves most priced room, between its
 * options that use less of the row concerned than the mix does and those that use more. That is where the mix cheats
 * most, with half of a giant in a small tier.
 * @param weight by option, its share in the mix.
 * @returns undefined where every context has one option only.
 */
export function branching(core: OpenCore, prices: Float64Array, weight: Float64Array): Branching | undefined {
  const { first, use } = core;
  const R = prices.length;
  const K = core.context.length;
  let at = -1;
  let row = 0;
  let middle = 0;
  const widest = (weightOf: (o: number, k: number) => number) => {
    let most = 0;
    for (let k = 0; k < K; k++) {
      for (let r = 0; r < R; r++) {
        if (prices[r] === 0) continue;
        let mean = 0;
        for (let o = first[k]!; o < first[k + 1]!; o++) mean += weightOf(o, k) * use[o * R + r]!;
        let spread = 0;
        for (let o = first[k]!; o < first[k + 1]!; o++)
          spread += weightOf(o, k) * Math.abs(use[o * R + r]! - mean);
        if (prices[r]! * spread <= most || spread <= ROUNDING * mean) continue;
        most = prices[r]! * spread;
        at = k;
        row = r;
        middle = mean;
      }
    }
  };
  widest((o) => weight[o]!);
  if (at < 0) widest((_, k) => 1 / (first[k + 1]! - first[k]!));
  const second = new Uint8Array(core.choice.length);
  if (at < 0) {
    // What is priced is the same for all that is open: any option against the others.
    at = core.context.findIndex((_, k) => first[k + 1]! - first[k]! > 1);
    if (at < 0) return undefined;
    second[first[at]!] = 1;
    return { second, at };
  }
  let highest = Number.NEGATIVE_INFINITY;
  for (let o = first[at]!; o < first[at + 1]!; o++) highest = Math.max(highest, use[o * R + row]!);
  for (let o = first[at]!; o < first[at + 1]!; o++)
    if (use[o * R + row]! > middle || use[o * R + row] === highest) second[o] = 1;
  return { second, at };
}
