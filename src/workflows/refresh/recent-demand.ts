import type { Demand } from '../../formats/demand.js';
import type { Model } from '../../formats/model.js';
import { type SegmentDemand, segmentsOf } from '../../traces/segments.js';
import type { Trace } from '../../traces/trace.js';

/** How fast the past loses weight, and the period that rates are stated for. */
export interface DecayOptions {
  readonly model: Model;
  readonly halfLifeSeconds: number;
  readonly periodSeconds: number;
}

/**
 * What the recent requests ask for: the segments of the window, each with the reuses expected in a period. A reuse
 * t seconds ago counts 2^(−t / halfLife); the sum is divided by what a steady rate of one per second would have
 * summed up to over the window's length, so that a short history is not taken for low demand.
 */
export function recentDemand(trace: Trace, options: DecayOptions): SegmentDemand {
  const segments = segmentsOf(trace, { model: options.model });
  return {
    ...segments,
    accesses: decayedAccesses(trace, segments, options),
    periodSeconds: options.periodSeconds,
  };
}

function decayedAccesses(
  trace: Trace,
  segments: SegmentDemand,
  { halfLifeSeconds, periodSeconds }: DecayOptions,
): Demand['accesses'] {
  const { blocks, blockOffsets, timestampSeconds: times, requests } = trace;
  const last = times[requests - 1] ?? 0;
  const decay = Math.LN2 / halfLifeSeconds;
  const accesses = new Float64Array(segments.contexts);
  const lastRequest = new Int32Array(segments.contexts).fill(-1);
  const used = new Uint8Array(segments.contexts);
  for (let r = 0; r < requests; r++) {
    const weight = Math.exp(-decay * (last - times[r]!));
    for (let k = blockOffsets[r]!; k < blockOffsets[r + 1]!; k++) {
      const s = segments.segmentOfBlock[blocks[k]!]!;
      if (s < 0 || lastRequest[s] === r) continue;
      lastRequest[s] = r;
      if (used[s] === 1) accesses[s]! += weight;
      used[s] = 1;
    }
  }
  const steady = (1 - Math.exp(-decay * last)) / decay;
  const perPeriod = last > 0 ? periodSeconds / steady : 1;
  return accesses.map((sum) => sum * perPeriod);
}
