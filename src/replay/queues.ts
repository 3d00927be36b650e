import { totalBytesPerSecond, transferSeconds } from '../cost/transfer.js';
import type { Tier } from '../formats/tiers.js';
import type { Trace } from '../traces/trace.js';

/** How requests wait for each other. */
export interface QueueOptions {
  /** Prefill servers, each with one request at a time; without it nobody waits. */
  readonly engines?: number;
  /** Arrivals come this many times as fast as in the log; 1 without it. */
  readonly load?: number;
  /** Whether an engine loads one layer while it computes another. */
  readonly overlap?: boolean;
}

/**
 * First come, first served: a request's loads wait for the tiers' bandwidth, its prefill for a free engine.
 * A tier's bandwidth under concurrency is its best measured total; a transfer never takes less than it would
 * alone.
 */
export class Queues {
  private readonly engineFreeAt: Float64Array | undefined;
  private readonly tierFreeAt: Float64Array;
  private readonly tierBytesPerSecond: Float64Array;
  private readonly load: number;
  private readonly overlap: boolean;

  constructor(
    private readonly trace: Trace,
    private readonly tiers: readonly Tier[],
    options: QueueOptions,
  ) {
    this.engineFreeAt = options.engines === undefined ? undefined : new Float64Array(options.engines);
    this.tierFreeAt = new Float64Array(tiers.length);
    this.tierBytesPerSecond = Float64Array.from(tiers, (tier) =>
      Math.max(
        tier.read.bytesPerSecond,
        ...(tier.read.byStreams ?? []).map((point) => totalBytesPerSecond(tier.read, point.streams)),
      ),
    );
    this.load = options.load ?? 1;
    this.overlap = options.overlap ?? false;
  }

  /**
   * Queues one request.
   * @param bytes to load, by tier.
   * @returns its TTFT in seconds.
   */
  serve(request: number, bytes: Float64Array, decompressSeconds: number, prefillSeconds: number): number {
    const { engineFreeAt } = this;
    if (engineFreeAt === undefined) {
      let load = decompressSeconds;
      for (let t = 0; t < bytes.length; t++) load += transferSeconds(this.tiers[t]!.read, bytes[t]!);
      return this.overlap ? Math.max(load, prefillSeconds) : load + prefillSeconds;
    }
    const arrival = this.trace.timestampSeconds[request]! / this.load;
    let ready = arrival;
    for (let t = 0; t < bytes.length; t++) if (bytes[t]! > 0) ready = this.loadFrom(t, bytes[t]!, ready);
    ready += decompressSeconds;
    let engine = 0;
    for (let e = 1; e < engineFreeAt.length; e++) if (engineFreeAt[e]! < engineFreeAt[engine]!) engine = e;
    const start = Math.max(this.overlap ? arrival : ready, engineFreeAt[engine]!);
    const end = Math.max(start + prefillSeconds, ready);
    engineFreeAt[engine] = end;
    return end - arrival;
  }

  /** A tier after the other, as LMCache loads; the device itself is busy only for the bytes at its full rate. */
  private loadFrom(tier: number, bytes: number, from: number): number {
    const start = Math.max(from, this.tierFreeAt[tier]!);
    this.tierFreeAt[tier] = start + bytes / this.tierBytesPerSecond[tier]!;
    return start + transferSeconds(this.tiers[tier]!.read, bytes);
  }
}
