import { BUCKETS, FEATURE_COUNT } from './features.js';

/** AdaGrad's step, and what keeps its first steps finite. */
const STEP = 0.15;
const DAMPING = 1;
/** log2 of a time to the next use lies below this. */
const LARGEST_LOG_GAP = 24;

/**
 * Two additive models over bucketed features, learned online: the discounted chance of a next use
 * p = E[exp(−T / τ)] (logistic), and E[log2 T] of those that come back (linear), T the requests until then.
 */
export class ReturnModel {
  private readonly returns = new Float64Array(FEATURE_COUNT * BUCKETS);
  private readonly returnsSquares = new Float64Array(FEATURE_COUNT * BUCKETS).fill(DAMPING);
  private readonly gaps = new Float64Array(FEATURE_COUNT * BUCKETS);
  private readonly gapsSquares = new Float64Array(FEATURE_COUNT * BUCKETS).fill(DAMPING);
  private returnsBias = -1;
  private gapsBias = 6;

  /** Logit of p for the features at `values[at …]`. */
  logit(values: Uint8Array, at: number): number {
    return this.returnsBias + additive(this.returns, values, at);
  }

  /** E[log2 T] for the features at `values[at …]`. */
  logGap(values: Uint8Array, at: number): number {
    return this.gapsBias + additive(this.gaps, values, at);
  }

  /**
   * Learns from a run whose use at these features was followed by the next one after `gap` requests.
   * @param discount exp(−gap / τ); 0 for a run that did not come back in time.
   */
  learn(values: Uint8Array, at: number, discount: number, gap: number, weight: number): void {
    const p = 1 / (1 + Math.exp(-this.logit(values, at)));
    const returnsError = (p - discount) * weight;
    this.returnsBias -= 0.002 * returnsError;
    descend(this.returns, this.returnsSquares, values, at, returnsError);
    if (gap === Number.POSITIVE_INFINITY) return;
    const gapError = ((this.logGap(values, at) - Math.min(LARGEST_LOG_GAP, Math.log2(gap))) / 4) * weight;
    this.gapsBias -= 0.01 * gapError;
    descend(this.gaps, this.gapsSquares, values, at, gapError);
  }
}

function additive(table: Float64Array, values: Uint8Array, at: number): number {
  let sum = 0;
  for (let f = 0; f < FEATURE_COUNT; f++) sum += table[f * BUCKETS + values[at + f]!]!;
  return sum;
}

function descend(
  table: Float64Array,
  squares: Float64Array,
  values: Uint8Array,
  at: number,
  error: number,
): void {
  for (let f = 0; f < FEATURE_COUNT; f++) {
    const i = f * BUCKETS + values[at + f]!;
    squares[i]! += error * error;
    table[i]! -= (STEP * error) / Math.sqrt(squares[i]!);
  }
}
