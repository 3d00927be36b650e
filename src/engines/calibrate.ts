import { recomputeSeconds } from '../cost/prefill.js';
import { fitPrefill } from '../cost/prefill-fit.js';
import type { Model } from '../formats/model.js';
import type { Tier, Transfer } from '../formats/tiers.js';
import { type CalibrationSetting, type LiveRequest, loadCost, mainPlace, median, PREFILL } from './live.js';

/** Figures corrected by what a running engine showed. */
export interface Calibration {
  readonly prefill: Model['prefill'];
  readonly tiers: readonly Tier[];
  /** By tier: seconds a load took longer than the profile says, the median of the requests served mainly from there. */
  readonly addedSeconds: Readonly<Record<string, number>>;
}

/** Fewer requests than this say too little about a tier. */
const ENOUGH = 3;
/** Latency and bandwidth apart need this many requests, the largest this many times as large as the smallest. */
const ENOUGH_FOR_TWO = 8;
const SPREAD = 1.5;

/**
 * Corrects prefill speed from the requests that found nothing cached, then each tier from those it served: what
 * their TTFT leaves after prefill and decompression, over the bytes loaded. A line through that gives latency and
 * bandwidth (Theil–Sen, which a request that was held up does not pull). Where requests are few or alike, one
 * figure is all they can tell: what is missing is added to the latency, for a request's fixed costs (scheduling,
 * lookup, staging) are what a device profile cannot know; a load that was faster than the profile's scales it.
 */
export function calibrate(requests: readonly LiveRequest[], setting: CalibrationSetting): Calibration {
  const groups = new Map<string, LiveRequest[]>();
  for (const request of requests) {
    const place = mainPlace(request);
    const tier = place.split(' ')[0]!;
    groups.set(tier, [...(groups.get(tier) ?? []), request]);
  }
  const prefill = prefillOf(groups.get(PREFILL) ?? []) ?? setting.model.prefill;
  const model = { ...setting.model, prefill };
  const addedSeconds: Record<string, number> = {};
  const tiers = setting.tiers.map((tier) => {
    const served = groups.get(tier.name) ?? [];
    if (served.length < ENOUGH) return tier;
    const loads = served.map((request) => loadOf(request, tier.name, { ...setting, model }));
    const read = lineThrough(loads) ?? shifted(tier.read, loads);
    if (read === undefined) return tier;
    addedSeconds[tier.name] = median(loads.map(({ measured, predicted }) => measured - predicted));
    return { ...tier, read, source: 'measured' as const, tool: 'replay --live' };
  });
  return { prefill, tiers, addedSeconds };
}

/** One request's load from one tier: bytes, and seconds measured and by the profile, both with decompression. */
interface Load {
  readonly bytes: number;
  readonly decompressSeconds: number;
  readonly measured: number;
  readonly predicted: number;
}

function loadOf(request: LiveRequest, tier: string, setting: CalibrationSetting): Load {
  let cachedTokens = 0;
  let others = 0;
  const load = { bytes: 0, decompressSeconds: 0, predicted: 0 };
  for (const [place, chunks] of request.hits ?? []) {
    cachedTokens += chunks * setting.chunkTokens;
    const own = loadCost(place, chunks, setting);
    if (place.split(' ')[0] !== tier) {
      others += own.seconds;
      continue;
    }
    load.bytes += own.bytes;
    load.decompressSeconds += own.decompressSeconds;
    load.predicted += own.seconds;
  }
  const cached = Math.min(cachedTokens, request.inputTokens);
  const prefill = recomputeSeconds(setting.model, cached, request.inputTokens - cached);
  return { ...load, measured: request.ttftSeconds - prefill - others };
}

/** Latency and bandwidth of a robust line through the loads; undefined where they cannot tell the two apart. */
function lineThrough(loads: readonly Load[]): Transfer | undefined {
  const sizes = loads.map(({ bytes }) => bytes);
  if (loads.length < ENOUGH_FOR_TWO || Math.max(...sizes) < SPREAD * Math.min(...sizes)) return undefined;
  const points = loads.map(({ bytes, measured, decompressSeconds }) => ({
    bytes,
    seconds: measured - decompressSeconds,
  }));
  const slopes = points.flatMap((a, i) =>
    points
      .slice(i + 1)
      .flatMap((b) => (a.bytes === b.bytes ? [] : (b.seconds - a.seconds) / (b.bytes - a.bytes))),
  );
  const secondsPerByte = median(slopes);
  const latencySeconds = median(points.map(({ bytes, seconds }) => seconds - secondsPerByte * bytes));
  if (secondsPerByte <= 0 || latencySeconds < 0) return undefined;
  return { latencySeconds, bytesPerSecond: 1 / secondsPerByte };
}

/** The profile's figures with what is missing added to the latency, or scaled where the load was faster. */
function shifted(read: Transfer, loads: readonly Load[]): Transfer | undefined {
  const added = median(loads.map(({ measured, predicted }) => measured - predicted));
  const factor = median(loads.map(({ measured, predicted }) => Math.max(0, measured) / predicted));
  if (factor === 0) return undefined;
  return added >= 0 ? delayed(read, added) : scaled(read, factor);
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

/** Prefill speed; undefined where there are too few requests. What a load's request pays beside is in its tier. */
function prefillOf(requests: readonly LiveRequest[]): Model['prefill'] | undefined {
  if (requests.length < ENOUGH) return undefined;
  const samples = requests.map(({ inputTokens, ttftSeconds }) => ({
    tokens: inputTokens,
    seconds: ttftSeconds,
  }));
  const { secondsPerToken, secondsPerTokenSquared } = fitPrefill(samples, false);
  return { secondsPerToken, secondsPerTokenSquared };
}
