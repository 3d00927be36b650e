import type { SeriesPoint } from '../formats/replay.js';
import type { Trace } from '../traces/trace.js';
import type { Scores } from './scorekeeper.js';

/** Lengths of windows, in seconds: a minute, unless that makes too few or too many. */
const WIDTHS = [0.1, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 86_400, 7 * 86_400];
const MINUTE = 60;
const FEWEST = 20;
const MOST = 1000;

/** The scored part of a run in windows of the log's clock; windows without requests are left out. */
export function seriesOf(
  trace: Trace,
  scores: Scores,
  unlimitedTokens: Float64Array,
  warm: number,
): SeriesPoint[] {
  const { timestampSeconds: times, requests } = trace;
  if (warm >= requests) return [];
  const start = times[warm]!;
  const width = windowWidth(times[requests - 1]! - start);
  const points: SeriesPoint[] = [];
  for (let r = warm; r < requests; ) {
    const window = Math.floor((times[r]! - start) / width);
    const from = r;
    let hits = 0;
    let reusable = 0;
    let ttft = 0;
    let quality = 0;
    for (; r < requests && Math.floor((times[r]! - start) / width) === window; r++) {
      hits += scores.hitTokens[r]!;
      reusable += unlimitedTokens[r]!;
      ttft += scores.ttftSeconds[r]!;
      quality += scores.quality[r]!;
    }
    points.push({
      startSeconds: start + window * width,
      requests: r - from,
      hitShare: reusable > 0 ? hits / reusable : 0,
      reusableTokens: reusable,
      meanTtftSeconds: ttft / (r - from),
      meanQuality: Math.min(1, quality / (r - from)),
    });
  }
  return points;
}

function windowWidth(spanSeconds: number): number {
  if (spanSeconds / MINUTE > MOST)
    return WIDTHS.find((width) => spanSeconds / width <= MOST) ?? WIDTHS.at(-1)!;
  return WIDTHS.findLast((width) => width <= MINUTE && spanSeconds / width >= FEWEST) ?? WIDTHS[0]!;
}
