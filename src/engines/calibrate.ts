import { recomputeSeconds } from '../cost/prefill.js';
import type { Model } from '../formats/model.js';
import type { Tier, Transfer } from '../formats/tiers.js';
import { type LiveRequest, type LiveSetting, loadSeconds, mainPlace, median, PREFILL } from './live.js';

/** Figures corrected by what a running engine showed. */
export interface Calibration {
  readonly prefill: Model['prefill'];
  readonly tiers: readonly Tier[];
  /** By tier: seconds a load took longer than the profile says, the median of the requests served mainly from there. */
  readonly addedSeconds: Readonly<Record<string, number>>;
}

/** Fewer requests than this say too little about a tier. */
const ENOUGH = 3;

/**
 * Corrects prefill speed from the requests that found nothing cached, then each tier from those it served: what
 * their TTFT leaves after prefill, beside what the profile says for loading. What is missing is added to the
 * latency: a request's fixed costs (scheduling, lookup, staging) are what a device profile cannot know, and one
 * figure is all that a few requests can tell. A load that was faster than the profile's scales it instead.
 */
export function calibrate(requests: readonly LiveRequest[], setting: LiveSetting): Calibration {
  const groups = new Map<string, LiveRequest[]>();
  for (const request of requests) {
    const place = mainPlace(request);
    const tier = place.split(' ')[0]!;
    groups.set(tier, [...(groups.get(tier) ?? []), request]);
  }
  const prefill = fitPrefill(groups.get(PREFILL) ?? []) ?? setting.model.prefill;
  const model = { ...setting.model, prefill };
  const addedSeconds: Record<string, number> = {};
  const tiers = setting.tiers.map((tier) => {
    const served = groups.get(tier.name) ?? [];
    if (served.length < ENOUGH) return tier;
    const loads = served.map((request) => loadOf(request, tier.name, { ...setting, model }));
    const added = median(loads.map(({ measured, predicted }) => measured - predicted));
    const factor = median(loads.map(({ measured, predicted }) => Math.max(0, measured) / predicted));
    if (factor === 0) return tier;
    addedSeconds[tier.name] = added;
    const read = added >= 0 ? delayed(tier.read, added) : scaled(tier.read, factor);
    return { ...tier, read, source: 'measured' as const, tool: 'replay --live' };
  });
  return { prefill, tiers, addedSeconds };
}

/** Seconds a request waited for one tier, measured and by the profile. */
function loadOf(
  request: LiveRequest,
  tier: string,
  setting: LiveSetting,
): { measured: number; predicted: number } {
  let cachedTokens = 0;
  let predicted = 0;
  let others = 0;
  for (const [place, chunks] of request.hits ?? []) {
    cachedTokens += chunks * setting.chunkTokens;
    const seconds = loadSeconds(place, chunks, setting);
    if (place.split(' ')[0] === tier) predicted += seconds;
    else others += seconds;
  }
  const cached = Math.min(cachedTokens, request.inputTokens);
  const prefill = recomputeSeconds(setting.model, cached, request.inputTokens - cached);
  return { measured: request.ttftSeconds - prefill - others, predicted };
}

function delayed(read: Transfer, seconds: number): Transfer {
  return {
    ...read,
    latencySeconds: read.latencySeconds + seconds,
    ...(read.table === undefined
      ? {}
      : { table: read.table.map((point) => ({ ...point, seconds: point.seconds + seconds })) }),
  };
}

function scaled(read: Transfer, factor: number): Transfer {
  return {
    ...read,
    latencySeconds: read.latencySeconds * factor,
    bytesPerSecond: read.bytesPerSecond / factor,
    ...(read.table === undefined
      ? {}
      : { table: read.table.map((point) => ({ ...point, seconds: point.seconds * factor })) }),
  };
}

/** Least squares of a·n + b·n² with a, b ≥ 0; undefined where there are too few requests. */
export function fitPrefill(requests: readonly LiveRequest[]): Model['prefill'] | undefined {
  if (requests.length < ENOUGH) return undefined;
  let [n2, n3, n4, tn, tn2] = [0, 0, 0, 0, 0];
  for (const { inputTokens: n, ttftSeconds: t } of requests) {
    n2 += n ** 2;
    n3 += n ** 3;
    n4 += n ** 4;
    tn += t * n;
    tn2 += t * n ** 2;
  }
  const determinant = n2 * n4 - n3 * n3;
  const a = (tn * n4 - tn2 * n3) / determinant;
  const b = (tn2 * n2 - tn * n3) / determinant;
  // Lengths too alike to tell the two terms apart, or one of them below 0: the other one alone.
  if (!(determinant > 1e-9 * n2 * n4) || b < 0)
    return { secondsPerToken: tn / n2, secondsPerTokenSquared: 0 };
  if (a < 0) return { secondsPerToken: 0, secondsPerTokenSquared: tn2 / n4 };
  return { secondsPerToken: a, secondsPerTokenSquared: b };
}
