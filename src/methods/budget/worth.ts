import type { Belief } from './population.js';

/** What a configuration costs whoever reads the context, beside its quality. */
export interface CellCosts {
  /** Stored share of the bytes, 0 to 1. */
  readonly shares: readonly number[];
  /** Seconds to decompress, in prefills of the context. */
  readonly decompress: readonly number[];
  /** How much of a configuration's uncertainty measuring it would remove, 0 where it is known. */
  readonly remaining: readonly number[];
}

/**
 * Plans that a profile may serve. One plan is a price of quality (alpha) and a price of bytes (loading them, and
 * the room they take), both in prefills of the context: under it a context is stored in the form with the largest
 * alpha · quality − decompression − price · share, or computed anew, which has quality 1 and costs 1.
 */
const ALPHAS = [0.5, 1, 2, 4];
const BYTE_PRICES = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4];

/** Prefills per plan that a measurement may be expected to gain, below which nobody would wait for it. */
const NEGLIGIBLE = 0.0005;

/**
 * The configuration that is worth measuring next: the one whose measurement may be expected to gain the most over
 * the plans it may serve (the knowledge gradient: how much better the best choice gets by knowing it exactly).
 * Undefined when nothing is worth it.
 */
export function mostWorth({ mean, deviation }: Belief, costs: CellCosts): number | undefined {
  const { shares, decompress, remaining } = costs;
  const values = new Float64Array(shares.length);
  for (const alpha of ALPHAS) {
    for (const price of BYTE_PRICES) {
      const worth = (cell: number) => alpha * mean[cell]! - decompress[cell]! - price * shares[cell]!;
      // The best two, so that each configuration can be compared with the best of the others.
      let [first, second, leader] = [Math.max(alpha - 1, alpha - price), Number.NEGATIVE_INFINITY, -1];
      for (let cell = 0; cell < shares.length; cell++) {
        const value = worth(cell);
        if (value > first) [second, first, leader] = [first, value, cell];
        else if (value > second) second = value;
      }
      for (let cell = 0; cell < shares.length; cell++) {
        const spread = alpha * deviation[cell]! * remaining[cell]!;
        if (spread === 0) continue;
        const distance = Math.abs(worth(cell) - (cell === leader ? second : first));
        values[cell]! += spread * expectedExcess(distance / spread);
      }
    }
  }
  const best = values.indexOf(Math.max(...values));
  return values[best]! > NEGLIGIBLE * ALPHAS.length * BYTE_PRICES.length ? best : undefined;
}

/** E[max(0, x − distance)] of a standard normal x. */
function expectedExcess(distance: number): number {
  const density = Math.exp((-distance * distance) / 2) / Math.sqrt(2 * Math.PI);
  // Mills ratio bound for the tail, within .3 % of the exact one for every distance ≥ 0.
  const tail = density / (0.661 * distance + 0.339 * Math.sqrt(distance * distance + 5.51));
  return Math.max(0, density - distance * tail);
}
