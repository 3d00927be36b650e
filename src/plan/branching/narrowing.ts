import { KEPT } from '../rows.js';
import { CoreLagrangian } from './core-lagrangian.js';
import { type Narrowed, narrowed, type OpenCore } from './open-core.js';

/** A core without the options that no better plan has. */
export interface Narrowing extends Narrowed {
  /** No plan of the core gains more. */
  readonly bound: number;
  /** The best that was possible with one of the options that were taken out. */
  readonly forgone: number;
}

/**
 * Takes options out of a core: those that overfill a row even when all other contexts use the least they can, and those
 * that at the prices do not leave more to be gained than is known to be gained.
 * @param kept the options to look at, by option; those that are taken out are cleared.
 * @param enough what is gained already.
 * @returns undefined where no plan is left; a bound of no more than `enough` where none is better.
 */
export function narrow(
  core: OpenCore,
  limits: Float64Array,
  lossyForms: number,
  prices: Float64Array,
  kept: Uint8Array,
  enough: number,
): Narrowing | undefined {
  if (!keepFitting(core, limits, kept)) return undefined;
  const costs = new Float64Array(kept.length);
  const bound = new CoreLagrangian(core, limits, lossyForms).costs(prices, kept, costs);
  if (bound === Number.NEGATIVE_INFINITY) return undefined;
  let forgone = Number.NEGATIVE_INFINITY;
  for (let o = 0; o < kept.length && bound > enough; o++) {
    if (kept[o] === 0 || bound - costs[o]! > enough) continue;
    kept[o] = 0;
    forgone = Math.max(forgone, bound - costs[o]!);
  }
  return { ...narrowed(core, kept), bound, forgone };
}

/** Clears the options that fit beside no choice of the others. @returns whether every context has one left. */
function keepFitting(core: OpenCore, limits: Float64Array, kept: Uint8Array): boolean {
  const { first, use } = core;
  const K = core.context.length;
  const R = limits.length;
  const least = new Float64Array(K * R);
  const room = new Float64Array(R);
  for (let changed = true; changed; ) {
    changed = false;
    for (let r = 0; r < R; r++) {
      // Sums of use are rounded, like those that plans are judged by.
      room[r] = limits[r]! * KEPT - core.settledUse[r]!;
      for (let k = 0; k < K; k++) {
        let lowest = Number.POSITIVE_INFINITY;
        for (let o = first[k]!; o < first[k + 1]!; o++)
          if (kept[o] === 1 && use[o * R + r]! < lowest) lowest = use[o * R + r]!;
        least[k * R + r] = lowest;
        room[r]! -= lowest;
      }
      if (!(room[r]! >= 0)) return false;
    }
    for (let k = 0; k < K; k++) {
      for (let o = first[k]!; o < first[k + 1]!; o++) {
        if (kept[o] === 0) continue;
        for (let r = 0; r < R; r++) {
          if (use[o * R + r]! - least[k * R + r]! <= room[r]!) continue;
          kept[o] = 0;
          changed = true;
          break;
        }
      }
    }
  }
  return true;
}
