/**
 * The Lagrangian of a planning problem: with a price on every row, contexts (or trees of contexts) choose
 * alone, and what they reach together bounds every feasible plan from above.
 */
export interface Lagrangian {
  /** Row limits, in the rows' own units. */
  readonly limits: Float64Array;
  /**
   * Lets every context choose at these prices.
   * @param prices utility per unit of each row, ≥ 0.
   * @param use filled with what the choices use of each row.
   * @param choices filled with the choices where given.
   * @returns the utility of the choices, prices not subtracted.
   */
  choose(prices: Float64Array, use: Float64Array, choices?: Int32Array): number;
}

/** The bound at these prices: utility − prices·use + prices·limits. */
export function boundAt(
  limits: Float64Array,
  prices: Float64Array,
  utility: number,
  use: Float64Array,
): number {
  let bound = utility;
  for (let r = 0; r < limits.length; r++) bound += prices[r]! * (limits[r]! - use[r]!);
  return bound;
}
