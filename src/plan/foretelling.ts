import type { Box } from './nested-cores.js';

/** The narrowest box looked into first, as a share of the sample's. */
const NARROWEST = 1 / 16;
/** The next prices are looked for within this many times the last error. */
const ERRORS = 3;

/**
 * Tells prices from a sample's: neighbouring limits have nearly the same error of the sample, so that what one of them
 * taught is right for the next but for a little. How little is learnt on the way.
 */
export class Foretelling {
  /** By row: what the sample's prices were to be multiplied by at the last limits; absent before the first. */
  private factor: Float64Array | undefined;
  /** How far the last prices lay from those foretold, as a share of them; Infinity before the second. */
  private error = Number.POSITIVE_INFINITY;

  /**
   * @param sampled the sample's prices. @param box of their error. @param width half its width, as a share of them.
   * @returns better prices, and the share of the box to look into first; undefined where the box is as good.
   */
  near(
    sampled: Float64Array,
    { low, high }: Box,
    width: number,
  ): { prices: Float64Array; share: number } | undefined {
    const { factor, error } = this;
    const share = Math.max(NARROWEST, (ERRORS * error) / width);
    if (factor === undefined || !(share < 1)) return undefined;
    const prices = sampled.map((price, r) => Math.min(high[r]!, Math.max(low[r]!, price * factor[r]!)));
    return { prices, share };
  }

  /** Takes the prices that were found where the sample gave others. */
  learn(sampled: Float64Array, found: Float64Array): void {
    const { factor } = this;
    const now = found.map((price, r) => (price > 0 && sampled[r]! > 0 ? price / sampled[r]! : 1));
    if (factor !== undefined)
      this.error = now.reduce((most, value, r) => Math.max(most, Math.abs(value / factor[r]! - 1)), 0);
    this.factor = now;
  }
}
