import { totalBytesPerSecond, transferSeconds } from '../cost/transfer.js';
import type { Tier, Transfer } from '../formats/tiers.js';
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
 * First come, first served: a request's loads share the tiers' bandwidth with those under way, its prefill waits
 * for a free engine. A transfer takes what the profile measured for as many streams as are under way when it
 * begins, and all together never get more than the best total that was measured.
 */
export class Queues {
  private readonly engineFreeAt: Float64Array | undefined;
  private readonly links: readonly Link[];
  private readonly load: number;
  private readonly overlap: boolean;
  /** Of the request served last: when it came, had its loads, could begin to be prefilled, and its engine. */
  private arrival = 0;
  private ready = 0;
  private start = 0;
  private engine = 0;

  constructor(
    private readonly trace: Trace,
    private readonly tiers: readonly Tier[],
    options: QueueOptions,
  ) {
    // Engines beyond one per request have nothing to do.
    this.engineFreeAt =
      options.engines === undefined ? undefined : new Float64Array(Math.min(options.engines, trace.requests));
    this.links = tiers.map((tier) => new Link(tier.read));
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
      this.ready = load;
      this.start = this.overlap ? 0 : load;
      return this.prefill(prefillSeconds);
    }
    const arrival = this.trace.timestampSeconds[request]! / this.load;
    let ready = arrival;
    // A tier after the other, as LMCache loads.
    for (let t = 0; t < bytes.length; t++)
      if (bytes[t]! > 0) ready = this.links[t]!.transfer(bytes[t]!, ready);
    ready += decompressSeconds;
    let engine = 0;
    for (let e = 1; e < engineFreeAt.length; e++) if (engineFreeAt[e]! < engineFreeAt[engine]!) engine = e;
    this.arrival = arrival;
    this.ready = ready;
    this.start = Math.max(this.overlap ? arrival : ready, engineFreeAt[engine]!);
    this.engine = engine;
    return this.prefill(prefillSeconds);
  }

  /**
   * The request served last takes its engine for so many seconds of prefill in all.
   * @returns its TTFT in seconds.
   */
  prefill(seconds: number): number {
    const end = Math.max(this.start + seconds, this.ready);
    if (this.engineFreeAt !== undefined) this.engineFreeAt[this.engine] = end;
    return end - this.arrival;
  }
}

/** The way from one tier to the engines, shared by the transfers under way. */
class Link {
  private readonly bestBytesPerSecond: number;
  /** When the bytes asked for so far would be through at the best rate. */
  private drainedAt = 0;
  /** Ends of the transfers that may still be under way. */
  private ends: number[] = [];

  constructor(private readonly read: Transfer) {
    this.bestBytesPerSecond = Math.max(
      read.bytesPerSecond,
      ...(read.byStreams ?? []).map((point) => totalBytesPerSecond(read, point.streams)),
    );
  }

  /** @returns when a transfer that begins now is through. */
  transfer(bytes: number, now: number): number {
    this.ends = this.ends.filter((end) => end > now);
    this.drainedAt = Math.max(this.drainedAt, now) + bytes / this.bestBytesPerSecond;
    const end = Math.max(now + transferSeconds(this.read, bytes, this.ends.length + 1), this.drainedAt);
    this.ends.push(end);
    return end;
  }
}
