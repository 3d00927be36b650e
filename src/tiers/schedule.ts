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

/** The same points in an order drawn with a seed (Fisher and Yates), so that drift cannot pass for size. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = mulberry32(seed);
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Mulberry32: a 32-bit generator, enough for an order. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
