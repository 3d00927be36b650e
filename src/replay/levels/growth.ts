/** Reuses that the assumption of no growth counts as much as. */
const PRIOR_REUSES = 20;
/** Variance of log2 size that goes with the prior. */
const PRIOR_VARIANCE = 1;

/**
 * How large contexts are when they are reused, from how large they were when their form was chosen: a line through
 * the logarithms, fitted as the log goes on. Sessions grow, the short ones by more.
 */
export class Growth {
  private weights = 0;
  private sizes = 0;
  private grown = 0;
  private squares = 0;
  private products = 0;
  private prior = 0;

  /** @param weight of the reuse; later ones weigh more. */
  learn(size: number, reusedBytes: number, weight: number): void {
    if (size <= 0) return;
    const x = Math.log2(size);
    const growth = Math.log2(reusedBytes) - x;
    this.weights += weight;
    this.sizes += weight * x;
    this.grown += weight * growth;
    this.squares += weight * x * x;
    this.products += weight * x * growth;
    this.prior = PRIOR_REUSES * weight;
  }

  /** Multiplies all weights. */
  rescale(by: number): void {
    this.weights *= by;
    this.sizes *= by;
    this.grown *= by;
    this.squares *= by;
    this.products *= by;
    this.prior *= by;
  }

  /** By how many octaves they have grown in the mean, at least 0. */
  get meanOctaves(): number {
    return this.weights === 0 ? 0 : Math.max(0, this.grown / (this.weights + this.prior));
  }

  /** Bytes expected of the reuses of a context of so many bytes. */
  expected(bytes: number): number {
    if (this.weights === 0) return bytes;
    const all = this.weights + this.prior;
    const mean = this.sizes / this.weights;
    const variance = this.squares - this.weights * mean * mean;
    const covariance = this.products - mean * this.grown;
    const slope = Math.max(-1, Math.min(0, covariance / (variance + this.prior * PRIOR_VARIANCE)));
    return bytes * 2 ** (this.grown / all + slope * (Math.log2(bytes) - mean));
  }
}
