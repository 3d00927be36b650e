import { isotonicQuality } from '../cost/quality.js';
import { mean } from './statistics.js';

/** Both metrics of one configuration of one context, each a mean over its queries. */
export interface MetricPair {
  readonly context: string;
  readonly tokenAgreement: number;
  readonly similarity: number;
}

/** What token agreement says about answer similarity on the user's own contexts. */
export interface Calibration {
  /** Contexts and configurations it was learned from. */
  readonly contexts: number;
  readonly points: number;
  /** Root mean square error of the similarity of a context that was left out, predicted from its agreement. */
  readonly rmsError: number;
  /** The same error of the one guess that needs no measurement: the mean similarity of the others. */
  readonly rmsErrorOfMean: number;
  /** The similarity that goes with an agreement. */
  predict(tokenAgreement: number): number;
}

/** Fewer contexts than this cannot tell how the prediction fares on another one. */
const LEAST_CONTEXTS = 3;

/**
 * Learns the answer similarity that goes with a token agreement: the best curve that never falls (isotonic
 * regression), in between interpolated. Its error is that on contexts left out one at a time.
 * @returns undefined for fewer than three contexts.
 */
export function calibrate(pairs: readonly MetricPair[]): Calibration | undefined {
  const contexts = [...new Set(pairs.map(({ context }) => context))];
  if (contexts.length < LEAST_CONTEXTS) return undefined;
  let squares = 0;
  let squaresOfMean = 0;
  for (const context of contexts) {
    const others = pairs.filter((pair) => pair.context !== context);
    const predict = fit(others);
    const centre = mean(others.map(({ similarity }) => similarity));
    for (const pair of pairs) {
      if (pair.context !== context) continue;
      squares += (pair.similarity - predict(pair.tokenAgreement)) ** 2;
      squaresOfMean += (pair.similarity - centre) ** 2;
    }
  }
  return {
    contexts: contexts.length,
    points: pairs.length,
    rmsError: Math.sqrt(squares / pairs.length),
    rmsErrorOfMean: Math.sqrt(squaresOfMean / pairs.length),
    predict: fit(pairs),
  };
}

function fit(pairs: readonly MetricPair[]): (tokenAgreement: number) => number {
  const sorted = [...pairs].sort((a, b) => a.tokenAgreement - b.tokenAgreement);
  const fitted = isotonicQuality(
    // The regression knows quality over bytes; here it is similarity over agreement.
    sorted.map((pair) => ({ storedBytes: pair.tokenAgreement, quality: pair.similarity, weight: 1 })),
  );
  return (tokenAgreement) => {
    const above = sorted.findIndex((pair) => pair.tokenAgreement >= tokenAgreement);
    if (above === 0) return fitted[0]!;
    if (above < 0) return fitted.at(-1)!;
    const [low, high] = [sorted[above - 1]!.tokenAgreement, sorted[above]!.tokenAgreement];
    const t = high === low ? 1 : (tokenAgreement - low) / (high - low);
    return fitted[above - 1]! + t * (fitted[above]! - fitted[above - 1]!);
  };
}
