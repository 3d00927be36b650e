import { BUCKETS, FEATURE_COUNT } from './features.js';

/** AdaGrad's step, and what keeps its first steps finite. */
const STEP = 0.15;
const DAMPING = 1;
/** log2 of a time to the next use lies below this. */
const LARGEST_LOG_GAP = 24;

/** A bucket's numbers lie side by side, as they are read together: of both models the weight and the sum of squares. */
const RETURNS = 0;
const GAPS = 1;
const SQUARES = 2;
const WIDTH = 4;

/**
 * Two additive models over bucketed features, learned online: the discounted chance of a next use
 * p = E[exp(−T / τ)] (logistic), and E[log2 T] of those that come back (linear), T the requests until then.
 */
export class ReturnModel {
  /** Layout: (feature · BUCKETS + bucket) · WIDTH + which. */
  private readonly table = new Float64Array(FEATURE_COUNT * BUCKETS * WIDTH);
  private returnsBias = -1;
  private gapsBias = 6;
  /** What `predict` has found: the logit of p, and E[log2 T]. */
  logit = 0;
  logGap = 0;

  constructor() {
    for (let i = 0; i < this.table.length; i += WIDTH) {
      this.table[i + SQUARES + RETURNS] = DAMPING;
      this.table[i + SQUARES + GAPS] = DAMPING;
    }
  }

  /** Predicts from the features at `values[at …]`. */
  predict(values: Uint8Array, at: number): void {
    const { table } = this;
    let returns = 0;
    let gaps = 0;
    for (let f = 0; f < FEATURE_COUNT; f++) {
      const i = (f * BUCKETS + values[at + f]!) * WIDTH;
      returns += table[i + RETURNS]!;
      gaps += table[i + GAPS]!;
    }
    this.logit = this.returnsBias + returns;
    this.logGap = this.gapsBias + gaps;
  }

  /**
   * Learns from a run whose use at these features was followed by the next one after `gap` requests.
   * @param discount exp(−gap / τ); 0 for a run that did not come back in time.
   */
  learn(values: Uint8Array, at: number, discount: number, gap: number): void {
    this.predict(values, at);
    const returnsError = 1 / (1 + Math.exp(-this.logit)) - discount;
    this.returnsBias -= 0.002 * returnsError;
    this.descend(RETURNS, values, at, returnsError);
    if (gap === Number.POSITIVE_INFINITY) return;
    const gapError = (this.logGap - Math.min(LARGEST_LOG_GAP, Math.log2(gap))) / 4;
    this.gapsBias -= 0.01 * gapError;
    this.descend(GAPS, values, at, gapError);
  }

  private descend(which: number, values: Uint8Array, at: number, error: number): void {
    const { table } = this;
    for (let f = 0; f < FEATURE_COUNT; f++) {
      const i = (f * BUCKETS + values[at + f]!) * WIDTH + which;
      const squares = table[i + SQUARES]! + error * error;
      table[i + SQUARES] = squares;
      table[i]! -= (STEP * error) / Math.sqrt(squares);
    }
  }
}
