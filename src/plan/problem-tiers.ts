import type { Tier, Transfer } from '../formats/tiers.js';

/** A tier as the solvers see it. */
export interface ProblemTier {
  readonly name: string;
  readonly kind: string;
  /** Capacity less what the engine reserves; Infinity for unlimited. */
  readonly capacityBytes: number;
  /** What the engine reserves. */
  readonly reservedBytes: number;
  readonly read: Transfer;
  /** The affine law of `read`, for inner loops; `tabled` says that the table replaces it. */
  readonly latencySeconds: number;
  readonly secondsPerByte: number;
  readonly tabled: boolean;
  /** Bandwidth budget in bytes loaded per second; Infinity for none. */
  readonly bytesPerSecondBudget: number;
  /** Money that a stored byte costs in a month; 0 where nobody said. */
  readonly moneyPerByte: number;
}

/** Tiers as the solvers see them. @param bandwidthShare share of each one's bandwidth that loads may use; all where absent. */
export function problemTiersOf(tiers: readonly Tier[], bandwidthShare?: number): ProblemTier[] {
  return tiers.map((tier) => ({
    name: tier.name,
    kind: tier.kind,
    capacityBytes: usableBytes(tier),
    reservedBytes: tier.reservedBytes ?? 0,
    read: tier.read,
    latencySeconds: tier.read.latencySeconds,
    secondsPerByte: 1 / tier.read.bytesPerSecond,
    tabled: (tier.read.table?.length ?? 0) > 0,
    bytesPerSecondBudget:
      bandwidthShare === undefined
        ? Number.POSITIVE_INFINITY
        : bandwidthShare * peakBytesPerSecond(tier.read),
    moneyPerByte: (tier.pricePerGbMonth ?? 0) / 1e9,
  }));
}

/** Whether a tier can hold anything at all. */
export function hasRoom(tier: ProblemTier): boolean {
  return tier.capacityBytes > 0 && tier.bytesPerSecondBudget > 0;
}

function usableBytes(tier: Tier): number {
  if (tier.capacityBytes === null) return Number.POSITIVE_INFINITY;
  return Math.max(0, tier.capacityBytes - (tier.reservedBytes ?? 0));
}

function peakBytesPerSecond(read: Transfer): number {
  return Math.max(read.bytesPerSecond, ...(read.byStreams ?? []).map((point) => point.bytesPerSecond));
}
