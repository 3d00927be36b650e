/** One measured point of a method's curve. */
export interface CurvePoint {
  readonly storedBytes: number;
  readonly quality: number;
  /** Weight in the fit: the number of queries behind the point. */
  readonly weight: number;
}

/**
 * Weighted isotonic regression of quality over stored bytes (pool adjacent violators): the best curve, in
 * squared error, that never gets worse with more bytes. Points of equal bytes get one value. The uncompressed
 * cache is fixed at quality 1 and never binds, because no quality exceeds 1.
 * @returns the fitted quality of each point, in the order given.
 */
export function isotonicQuality(points: readonly CurvePoint[]): number[] {
  const order = points
    .map((_, i) => i)
    .sort((a, b) => points[a]!.storedBytes - points[b]!.storedBytes || a - b);
  const blocks: { mean: number; weight: number; members: number[]; bytes: number }[] = [];
  for (const i of order) {
    const point = points[i]!;
    let block = { mean: point.quality, weight: point.weight, members: [i], bytes: point.storedBytes };
    for (
      let last = blocks.at(-1);
      last !== undefined && (last.mean >= block.mean || last.bytes === block.bytes);
      last = blocks.at(-1)
    ) {
      blocks.pop();
      const weight = last.weight + block.weight;
      const mean =
        weight > 0
          ? (last.mean * last.weight + block.mean * block.weight) / weight
          : (last.mean + block.mean) / 2;
      block = { mean, weight, members: [...last.members, ...block.members], bytes: block.bytes };
    }
    blocks.push(block);
  }
  const fitted = new Array<number>(points.length).fill(0);
  for (const block of blocks) for (const i of block.members) fitted[i] = Math.min(1, Math.max(0, block.mean));
  return fitted;
}

/**
 * The lower end of a one-sided confidence interval of a mean quality under a normal law, kept in [0, 1].
 * @param confidence in [0.5, 1); .5 is the mean itself.
 */
export function lowerQuality(quality: number, stdError: number, confidence: number): number {
  if (confidence <= 0.5 || stdError === 0) return quality;
  return Math.max(0, quality - normalQuantile(confidence) * stdError);
}

/** Inverse of the standard normal distribution by bisection on erfc; exact to about 1e-9, called rarely. */
function normalQuantile(p: number): number {
  let low = -10;
  let high = 10;
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Standard normal distribution function: power series near 0, continued fraction in the tails. */
export function normalCdf(x: number): number {
  const z = Math.abs(x);
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  let upper: number;
  if (z < 3) {
    let term = z;
    let sum = z;
    for (let k = 1; Math.abs(term) > 1e-17 * sum; k++) {
      term *= (z * z) / (2 * k + 1);
      sum += term;
    }
    upper = 0.5 - density * sum;
  } else {
    let tail = 0;
    for (let k = 60; k >= 1; k--) tail = k / (z + tail);
    upper = density / (z + tail);
  }
  return x >= 0 ? 1 - upper : upper;
}
