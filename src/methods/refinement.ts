import type { Configuration } from './runner.js';

/** What one measured configuration of a context has shown. */
export interface KnownPoint extends Configuration {
  readonly quality: number;
  /** Standard error of the quality, 0 where it is not known. */
  readonly error: number;
}

/** Below this a cache is of no use to anybody; going deeper with the same method is not worth the time. */
const COLLAPSED = 0.5;
/** Qualities nearer than this are one quality: what lies between them is interpolated, not measured. */
const SMOOTH = 0.03;
/** A gain of quality that nobody would pay bytes for. */
const NEGLIGIBLE = 0.01;

/**
 * The configuration of a context that is worth measuring next, or undefined when the rest would tell nothing new.
 *
 * Quality falls with the ratio of a method, so a configuration lies between its measured neighbours. It is left out
 * when the method has collapsed before it, when its neighbours agree, or when another configuration that stores
 * less is known to be about as good as this one can be. Of the others the most uncertain one comes first, in the
 * middle of what is open: that halves it.
 */
export function nextConfiguration(
  candidates: readonly Configuration[],
  known: readonly KnownPoint[],
): Configuration | undefined {
  let best: Configuration | undefined;
  let bestWorth = 0;
  for (const candidate of candidates) {
    const worth = worthOf(candidate, candidates, known);
    if (worth > bestWorth) {
      best = candidate;
      bestWorth = worth;
    }
  }
  return best;
}

/** How much quality is open at a candidate, 0 where measuring it would change nothing. */
function worthOf(
  candidate: Configuration,
  candidates: readonly Configuration[],
  known: readonly KnownPoint[],
): number {
  const { method, compressionRatio } = candidate;
  const own = known.filter((point) => point.method === method);
  if (own.some((point) => point.compressionRatio === compressionRatio)) return 0;
  const weaker = own.filter((point) => point.compressionRatio < compressionRatio);
  const stronger = own.filter((point) => point.compressionRatio > compressionRatio);
  const highest = Math.min(1, ...weaker.map((point) => point.quality));
  const lowest = Math.max(0, ...stronger.map((point) => point.quality));
  if (highest < COLLAPSED || highest - lowest < SMOOTH) return 0;
  const isBeaten = known.some(
    (point) =>
      point.method !== method &&
      point.compressionRatio >= compressionRatio &&
      point.quality - point.error >= highest - NEGLIGIBLE,
  );
  if (isBeaten) return 0;
  const open = candidates
    .filter((each) => each.method === method)
    .map((each) => each.compressionRatio)
    .filter((ratio) => isBetween(ratio, weaker, stronger))
    .sort((a, b) => a - b);
  // One ratio alone is a quantizer: what a cheap one reaches spares many a weaker dropper.
  if (own.length === 0 && open.length === 1) return 4 * (highest - lowest);
  return (highest - lowest) * (compressionRatio === open[Math.floor(open.length / 2)] ? 2 : 1);
}

/** Whether a ratio lies between the measured neighbours: weaker ones below, stronger ones above. */
function isBetween(ratio: number, weaker: readonly KnownPoint[], stronger: readonly KnownPoint[]): boolean {
  return (
    weaker.every((point) => point.compressionRatio < ratio) &&
    stronger.every((point) => point.compressionRatio > ratio)
  );
}
