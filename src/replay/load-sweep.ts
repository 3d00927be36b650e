import type { LoadSweep } from '../formats/replay.js';
import type { Tier } from '../formats/tiers.js';
import type { Trace } from '../traces/trace.js';
import { quantiles } from './quantiles.js';
import { type QueueOptions, Queues } from './queues.js';
import type { Scores } from './scorekeeper.js';

/** What must hold: a statistic of the TTFT stays at or below a number of seconds. */
export interface TtftTarget {
  readonly statistic: 'mean' | 'p50' | 'p90' | 'p99';
  readonly seconds: number;
}

/** Loads to look at, as factors on the log's arrivals, and how exactly the break is found. */
const LOWEST = 2 ** -10;
const HIGHEST = 2 ** 20;
const PRECISION = 1.005;

/**
 * How much faster the requests could come until a TTFT target breaks. What a request loads and prefills does
 * not depend on when it comes, only how long it waits, so one run of a policy answers for every load.
 */
export function sweepLoad(
  trace: Trace,
  tiers: readonly Tier[],
  scores: Scores,
  warm: number,
  options: QueueOptions,
  target: TtftTarget,
): LoadSweep {
  const seconds = trace.timestampSeconds[trace.requests - 1]! - trace.timestampSeconds[warm]!;
  const requestsPerSecond = seconds > 0 ? (trace.requests - warm) / seconds : 0;
  const points = new Map<number, LoadSweep['points'][number]>();
  const at = (load: number) => {
    const known = points.get(load);
    if (known !== undefined) return known;
    const point = {
      load,
      requestsPerSecond: load * requestsPerSecond,
      ttft: ttftAt(trace, tiers, scores, warm, { engines: 1, ...options, load }),
    };
    points.set(load, point);
    return point;
  };
  const holds = (load: number) => at(load).ttft[target.statistic] <= target.seconds;
  let low = 1;
  let high = 1;
  if (holds(1)) {
    while (high < HIGHEST && holds(high)) high *= 2;
    low = holds(high) ? high : high / 2;
  } else {
    while (low > LOWEST && !holds(low)) low /= 2;
    high = 2 * low;
  }
  const everHolds = holds(low);
  while (everHolds && !holds(high) && high / low > PRECISION) {
    const middle = Math.sqrt(low * high);
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return {
    target: { ...target },
    maxLoad: everHolds ? low : 0,
    maxRequestsPerSecond: everHolds ? low * requestsPerSecond : 0,
    points: [...points.values()].sort((a, b) => a.load - b.load),
  };
}

function ttftAt(
  trace: Trace,
  tiers: readonly Tier[],
  scores: Scores,
  warm: number,
  options: QueueOptions,
): LoadSweep['points'][number]['ttft'] {
  const queues = new Queues(trace, tiers, options);
  const ttft = new Float64Array(trace.requests - warm);
  let sum = 0;
  for (let r = 0; r < trace.requests; r++) {
    const bytes = scores.loadedBytesOfTier.subarray(r * tiers.length, (r + 1) * tiers.length);
    const seconds = queues.serve(r, bytes, scores.decompressSeconds[r]!, scores.prefillSeconds[r]!);
    if (r < warm) continue;
    ttft[r - warm] = seconds;
    sum += seconds;
  }
  const [p50, p90, p99] = quantiles(ttft, [0.5, 0.9, 0.99]) as [number, number, number];
  return { mean: sum / ttft.length, p50, p90, p99 };
}
