import type { EvicpressError } from '../errors.js';
import { storedBytesOf, ttftOf } from './choice-costs.js';
import { KEEP_NOTHING, type Problem } from './problem.js';

/**
 * The knee of a curve of utility over cost (bytes or money): the point farthest above the straight line from
 * the cheapest to the dearest point. Up to it a unit of cost gains more than on the sweep's average, past it less
 * (Satopaa et al., Finding a "Kneedle" in a Haystack, 2011, on linear axes).
 * @returns its index; undefined where no point lies above the line.
 */
export function kneeOf(
  points: readonly { readonly cost: number; readonly utility: number }[],
): number | undefined {
  const order = points.map((_, k) => k).sort((a, b) => points[a]!.cost - points[b]!.cost);
  if (order.length < 3) return undefined;
  const first = points[order[0]!]!;
  const last = points[order.at(-1)!]!;
  const width = last.cost - first.cost;
  const height = Math.max(...points.map((point) => point.utility)) - first.utility;
  if (!(width > 0) || !(height > 0)) return undefined;
  let best: number | undefined;
  let above = 1e-9;
  for (const k of order) {
    const { cost, utility } = points[k]!;
    const here = (utility - first.utility) / height - (cost - first.cost) / width;
    if (here > above) {
      above = here;
      best = k;
    }
  }
  return best;
}

/**
 * The least size between `low` and `high` at which a condition holds, by bisection of its logarithm to within
 * `precision`. The condition is taken to hold from some size on.
 * @throws EvicpressError where it does not hold at `high`.
 */
export function leastSize<T>(
  low: number,
  high: number,
  solve: (bytes: number) => T,
  holds: (found: T) => boolean,
  refuse: (most: T) => EvicpressError,
  precision = 0.005,
): { bytes: number; found: T } {
  let best = { bytes: high, found: solve(high) };
  if (!holds(best.found)) throw refuse(best.found);
  const least = { bytes: low, found: solve(low) };
  if (holds(least.found)) return least;
  for (let below = low; best.bytes / below > 1 + precision; ) {
    const bytes = Math.sqrt(below * best.bytes);
    const found = solve(bytes);
    if (holds(found)) best = { bytes, found };
    else below = bytes;
  }
  return best;
}

/** Sizes from low to high at equal ratios, ends included. */
export function logSpaced(low: number, high: number, points: number): number[] {
  if (points === 1 || low === high) return [high];
  return Array.from({ length: points }, (_, k) =>
    k === points - 1 ? high : Math.round(low * (high / low) ** (k / (points - 1))),
  );
}

/**
 * The choices of a fixed rule, for comparison: every context in one form (whole, or one method and ratio where
 * it is offered), the most accessed in the fastest tier that has room, as LRU tends to; what finds no room, or
 * is quicker computed than loaded, is recomputed. A context whose parent is not kept is not kept.
 * @param lossy index into `forms.lossyNames`; −1 for whole.
 */
export function fixedRule(problem: Problem, lossy: number): Int32Array {
  const { demand, forms, tiers, curveOf, allowed, recomputeSeconds } = problem;
  const count = forms.storedBytes.length;
  const room = tiers.map((tier) => tier.capacityBytes);
  const choices = new Int32Array(demand.contexts).fill(KEEP_NOTHING);
  // Parents come first in the rows, and have at least their children's accesses: ties keep that order.
  const order = Array.from(choices, (_, i) => i).sort(
    (a, b) => demand.accesses[b]! - demand.accesses[a]! || a - b,
  );
  for (const i of order) {
    const parent = demand.parents[i]!;
    if (parent >= 0 && choices[parent] === KEEP_NOTHING) continue;
    const first = forms.offsets[curveOf[i]!]!;
    let form = first;
    for (let f = first; f < forms.offsets[curveOf[i]! + 1]!; f++) if (forms.lossyOf[f] === lossy) form = f;
    const bytes = storedBytesOf(problem, i, form);
    const tier = tiers.findIndex((_, t) => (allowed[i]! & (1 << t)) !== 0 && room[t]! >= bytes);
    if (tier < 0) continue;
    const choice = tier * count + form;
    if (!problem.hasParents && ttftOf(problem, i, choice) > recomputeSeconds[i]!) continue;
    choices[i] = choice;
    room[tier]! -= bytes;
  }
  return choices;
}
