import type { Problem } from '../problem.js';
import type { OpenCore } from './open-core.js';

/** A spread that is mere rounding, as a share of what is used. */
const ROUNDING = 1e-9;

/** The options that are kept in each of two parts, by option. */
export type Branching = readonly [Uint8Array, Uint8Array];

/**
 * Where to cut a core in two: at the context whose share in the mix of answers moves most priced room, between its
 * options that use less of the row concerned than the mix does and those that use more. That is where the mix cheats
 * most, with half of a giant in a small tier. Of contexts that are alike either this one chooses on one side, as any of them
 * may, or all of them on the other (orbital branching, Ostrowski et al. 2011): else each order of them would be a
 * part of its own.
 * @param weight by option, its share in the mix. @param kinds equal numbers say that contexts are alike.
 * @returns undefined where every context has one option only.
 */
export function branching(
  core: OpenCore,
  prices: Float64Array,
  weight: Float64Array,
  kinds: Int32Array,
): Branching | undefined {
  const { first, use } = core;
  const R = prices.length;
  const cut =
    widest(core, prices, (o) => weight[o]!) ??
    widest(core, prices, (_, k) => 1 / (first[k + 1]! - first[k]!));
  // Where what is priced is the same for all that is open, it is any option against the others.
  const at = cut?.at ?? core.context.findIndex((_, k) => first[k + 1]! - first[k]! > 1);
  if (at < 0) return undefined;
  let highest = Number.NEGATIVE_INFINITY;
  if (cut !== undefined)
    for (let o = first[at]!; o < first[at + 1]!; o++) highest = Math.max(highest, use[o * R + cut.row]!);
  const isSecond = (o: number) =>
    cut === undefined
      ? o === first[at]!
      : use[o * R + cut.row]! > cut.middle || use[o * R + cut.row] === highest;
  const alike = alikeTo(core, at, kinds);
  let second = 0;
  for (const k of alike)
    for (let o = first[at]!; o < first[at + 1]!; o++)
      if (isSecond(o)) second += weight[o - first[at]! + first[k]!]!;
  const all = 2 * second > alike.length ? 0 : 1;
  const kept: Branching = [
    new Uint8Array(core.choice.length).fill(1),
    new Uint8Array(core.choice.length).fill(1),
  ];
  for (const side of [0, 1] as const) {
    for (const k of side === all ? alike : [at])
      for (let o = first[at]!; o < first[at + 1]!; o++)
        if (isSecond(o) !== (side === 1)) kept[side][o - first[at]! + first[k]!] = 0;
  }
  return kept;
}

/** The context and row with the widest spread of priced use, and the mean use. */
function widest(
  { context, first, use }: OpenCore,
  prices: Float64Array,
  weightOf: (o: number, k: number) => number,
): { readonly at: number; readonly row: number; readonly middle: number } | undefined {
  const R = prices.length;
  let found: { at: number; row: number; middle: number } | undefined;
  let most = 0;
  for (let k = 0; k < context.length; k++) {
    for (let r = 0; r < R; r++) {
      if (prices[r] === 0) continue;
      let mean = 0;
      for (let o = first[k]!; o < first[k + 1]!; o++) mean += weightOf(o, k) * use[o * R + r]!;
      let spread = 0;
      for (let o = first[k]!; o < first[k + 1]!; o++)
        spread += weightOf(o, k) * Math.abs(use[o * R + r]! - mean);
      if (prices[r]! * spread <= most || spread <= ROUNDING * mean) continue;
      most = prices[r]! * spread;
      found = { at: k, row: r, middle: mean };
    }
  }
  return found;
}

/** The contexts that are like one and have the same options left, it included; it alone where parents tell them apart. */
function alikeTo(
  { context, parent, first, choice }: OpenCore,
  at: number,
  kinds: Int32Array,
): readonly number[] {
  const kind = kinds[context[at]!]!;
  if (parent.some((above) => above >= 0)) return [at];
  const count = first[at + 1]! - first[at]!;
  const alike: number[] = [];
  for (let k = 0; k < context.length; k++) {
    if (kinds[context[k]!] !== kind || first[k + 1]! - first[k]! !== count) continue;
    let same = true;
    for (let o = 0; o < count && same; o++) same = choice[first[k]! + o] === choice[first[at]! + o];
    if (same) alike.push(k);
  }
  return alike;
}

/** Numbers contexts, by position, such that those without parents that are alike in all that a plan depends on have the same. */
export function kindsOf(problem: Problem, contexts: Int32Array): Int32Array {
  const { demand, curveOf, allowed, recomputeSeconds, inForce } = problem;
  const numbers = new Map<string, number>();
  return contexts.map((i) => {
    const name = [
      curveOf[i],
      allowed[i],
      recomputeSeconds[i],
      inForce?.[i],
      demand.fullBytes[i],
      demand.accesses[i],
      demand.requestShare[i],
      demand.tenantOf[i],
    ].join(' ');
    const known = numbers.get(name);
    if (known !== undefined) return known;
    numbers.set(name, numbers.size);
    return numbers.size - 1;
  });
}
