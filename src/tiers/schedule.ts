/** One point to be measured. */
export interface Point {
  readonly bytes: number;
  readonly streams: number;
}

/** The points of one pass. */
export interface PassPlan {
  readonly points: readonly Point[];
  /** Those that the fit cannot do without: measured even where the time is over. */
  readonly essential: ReadonlySet<Point>;
}

/** The passes are spaced so that a level shift between them shows. */
export const PASSES = 2;
/** A point gets at least this part of an even share of the time: rather than less, others are given up. */
export const LEAST_SHARE = 0.5;
/** So many sizes of one stream are always measured. */
const ESSENTIAL_SIZES = 3;

/**
 * The points of one pass: sizes × streams, less the largest where the time does not suffice for them. The three
 * smallest sizes of one stream stay in any case.
 * @param bytesPerSecond what the device seems to do, from a first look.
 * @param overheadSeconds what each point seems to cost beside its waves.
 */
export function planPass(
  sizes: readonly number[],
  streams: readonly number[],
  largestWaveBytes: number,
  passSeconds: number,
  bytesPerSecond: number,
  overheadSeconds: number,
): PassPlan {
  const points = sizes
    .flatMap((bytes) => streams.map((count) => ({ bytes, streams: count })))
    .filter((point) => point.bytes * point.streams <= largestWaveBytes)
    .sort((a, b) => a.bytes * a.streams - b.bytes * b.streams || a.streams - b.streams);
  const least = Math.min(...streams);
  const essential = new Set(points.filter((point) => point.streams === least).slice(0, ESSENTIAL_SIZES));
  const isRushed = () => {
    const seconds = passSeconds - overheadSeconds * points.length;
    const waves = points.map((point) => (point.bytes * point.streams) / bytesPerSecond);
    return evenShare(waves, seconds) < (LEAST_SHARE * passSeconds) / points.length;
  };
  while (points.length > essential.size && isRushed()) {
    points.splice(
      points.findLastIndex((point) => !essential.has(point)),
      1,
    );
  }
  return { points, essential };
}

/** What is left for each of the shorter waves when the longer ones have taken what one of them takes. */
function evenShare(ascending: readonly number[], seconds: number): number {
  let left = seconds;
  for (let shorter = ascending.length; shorter > 0; shorter--) {
    const longest = ascending[shorter - 1]!;
    if (longest <= left / shorter) return left / shorter;
    left -= longest;
  }
  return 0;
}
