import { recomputeSeconds } from '../../cost/prefill.js';
import { segmentLoadSeconds } from '../../cost/transfer.js';
import type { PageTier, PlacementData } from '../page-data.js';

/** One option of a context with what it is worth, all in seconds per period. */
export interface PricedOption {
  readonly name: string;
  readonly chosen: boolean;
  /** One access waits this long. */
  readonly ttftSeconds: number;
  /** accesses · alpha · requestShare · quality. */
  readonly answersSeconds: number;
  /** accesses · ttftSeconds. */
  readonly waitingSeconds: number;
  /** price · storedBytes: what the room would earn with other contexts. */
  readonly rentSeconds: number;
  readonly netSeconds: number;
}

export interface Explanation {
  /** Best first. */
  readonly options: readonly PricedOption[];
  /** Accesses per period at which the nearest rival would take over, where there is such a number. */
  readonly flip?: { readonly to: string; readonly accesses: number };
}

/** Seconds one access of row i waits under the plan. */
export function ttftOf(data: PlacementData, i: number): number {
  const stored = data.ttftSeconds[i]!;
  const tier = tierOf(data, i);
  return stored > 0 || tier === undefined ? stored : loadSeconds(data, tier, i);
}

/** The tier of row i; undefined for recompute. */
function tierOf(data: PlacementData, i: number): PageTier | undefined {
  const { tier } = data.groups[data.group[i]!]!;
  return data.tiers.find((entry) => entry.name === tier);
}

function loadSeconds(data: PlacementData, tier: PageTier, i: number): number {
  if (tier.read === undefined) return Number.NaN;
  const bytes = data.storedBytes[i]!;
  const decompress = data.forms[data.form[i]!]![1] * bytes;
  return segmentLoadSeconds(tier.read, bytes, data.requestShare[i]!) + decompress;
}

/**
 * Why row i is where it is: its option beside the same stored form in the other tiers and computing it anew,
 * each at the plan's prices.
 */
export function explain(data: PlacementData, i: number): Explanation {
  const group = data.groups[data.group[i]!]!;
  const options: PricedOption[] = [];
  const add = (name: string, ttft: number, quality: number, rent: number, chosen: boolean) => {
    if (!Number.isFinite(ttft)) return;
    const answersSeconds = data.accesses[i]! * data.alpha * data.requestShare[i]! * quality;
    const waitingSeconds = data.accesses[i]! * ttft;
    options.push({
      name,
      chosen,
      ttftSeconds: ttft,
      answersSeconds,
      waitingSeconds,
      rentSeconds: rent,
      netSeconds: answersSeconds - waitingSeconds - rent,
    });
  };
  const kept = data.storedBytes[i]! > 0;
  for (const tier of kept ? data.tiers : []) {
    const chosen = tier.name === group.tier;
    const ttft = chosen ? ttftOf(data, i) : loadSeconds(data, tier, i);
    const fits = tier.capacityBytes === null || tier.capacityBytes >= data.storedBytes[i]!;
    if (chosen || fits)
      add(tier.name, ttft, data.forms[data.form[i]!]![0], tier.price * data.storedBytes[i]!, chosen);
  }
  if (kept) add('recompute', recomputeOf(data, i), 1, 0, false);
  else add('recompute', ttftOf(data, i), 1, 0, true);
  options.sort((a, b) => b.netSeconds - a.netSeconds);
  const flip = flipOf(data, i, options);
  return flip === undefined ? { options } : { options, flip };
}

/** Tokens of row i: from its bytes, or, where nothing is kept, from the time that computing it takes. */
function tokensOf(data: PlacementData, i: number, startTokens: number): number {
  if (data.model === undefined) return Number.NaN;
  const bytes = data.storedBytes[i]!;
  if (bytes > 0) {
    const { compressionRatio } = data.groups[data.group[i]!]!;
    return bytes / (1 - compressionRatio) / data.model.kvBytesPerToken;
  }
  const { secondsPerToken: a, secondsPerTokenSquared: b } = data.model.prefill;
  const linear = a + 2 * b * startTokens;
  const seconds = ttftOf(data, i);
  return b === 0 ? seconds / linear : (Math.sqrt(linear * linear + 4 * b * seconds) - linear) / (2 * b);
}

/** Seconds to compute row i anew after everything above it. NaN without a model. */
function recomputeOf(data: PlacementData, i: number): number {
  if (data.model === undefined) return Number.NaN;
  const path: number[] = [];
  for (let row = i; data.parentUp[row]! > 0; ) {
    row -= data.parentUp[row]!;
    path.unshift(row);
  }
  let start = 0;
  for (const row of path) start += tokensOf(data, row, start);
  return recomputeSeconds(
    data.model as Parameters<typeof recomputeSeconds>[0],
    start,
    tokensOf(data, i, start),
  );
}

/** The rate at which another option becomes the better one: where f·(gain per access) pays the difference in rent. */
function flipOf(data: PlacementData, i: number, options: readonly PricedOption[]): Explanation['flip'] {
  const own = options.find((option) => option.chosen);
  if (own === undefined || data.accesses[i] === 0) return undefined;
  let nearest: Explanation['flip'];
  for (const other of options) {
    if (other === own) continue;
    const f = data.accesses[i]!;
    const gain = (own.answersSeconds - own.waitingSeconds - other.answersSeconds + other.waitingSeconds) / f;
    const accesses = (own.rentSeconds - other.rentSeconds) / gain;
    if (!(accesses > 0) || !Number.isFinite(accesses)) continue;
    if (nearest === undefined || Math.abs(Math.log(accesses / f)) < Math.abs(Math.log(nearest.accesses / f)))
      nearest = { to: other.name, accesses };
  }
  return nearest;
}
