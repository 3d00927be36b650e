/** One point to be measured. */
export interface Point {
  readonly bytes: number;
  readonly streams: number;
}

/** The passes are spaced so that a level shift between them shows. */
export const PASSES = 2;
/** A pass may take this much longer than its share before points are given up. */
const OVERRUN = 1.25;

/**
 * The points of one pass and the time for each: sizes × streams without those whose single wave would take too
 * large a part of the pass. The smaller sizes at every number of streams, and three sizes of one stream, stay.
 * @param bytesPerSecond what the device seems to do, from a first look.
 * @param overheadSeconds what each point costs beside its waves.
 */
export function planPass(
  sizes: readonly number[],
  streams: readonly number[],
  largestWaveBytes: number,
  passSeconds: number,
  bytesPerSecond: number,
  overheadSeconds: number,
): { points: Point[]; secondsPerPoint: number } {
  const points = sizes
    .flatMap((bytes) => streams.map((count) => ({ bytes, streams: count })))
    .filter((point) => point.bytes * point.streams <= largestWaveBytes)
    .sort((a, b) => a.bytes * a.streams - b.bytes * b.streams || a.streams - b.streams);
  const least = Math.min(...streams);
  const keep = new Set(points.filter((point) => point.streams === least).slice(0, 3));
  const waveSeconds = (point: Point) => (point.bytes * point.streams) / bytesPerSecond;
  const slot = () => Math.max(0, passSeconds / points.length - overheadSeconds);
  const needed = () =>
    points.reduce((sum, point) => sum + overheadSeconds + Math.max(slot(), waveSeconds(point)), 0);
  while (needed() > OVERRUN * passSeconds) {
    const victim = points.findLastIndex((point) => !keep.has(point));
    if (victim === -1) break;
    points.splice(victim, 1);
  }
  return { points, secondsPerPoint: slot() };
}
