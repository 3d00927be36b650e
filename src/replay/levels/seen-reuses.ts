import type { Found } from './found.js';
import { Growth } from './growth.js';
import { ReuseTrend } from './reuse-trend.js';

/** Half-life of what is remembered of reuses, in requests. */
const MEMORY_HALF_LIFE = 1000;
/** Weights are counted from 1 again before they get out of hand. */
const LARGEST_WEIGHT = 2 ** 100;
/** Sizes are told apart to an eighth of an octave, from a megabyte on. */
const BINS_PER_OCTAVE = 8;
const SMALLEST_BYTES = 2 ** 20;
const BINS = 24 * BINS_PER_OCTAVE;

const BYTES_OF_BIN = Float64Array.from(
  { length: BINS },
  (_, bin) => SMALLEST_BYTES * 2 ** ((bin + 0.5) / BINS_PER_OCTAVE),
);

/** What requests have found lately: later ones weigh more. */
export class SeenReuses {
  requests = 0;
  /** Weight of what happens now: it grows, so that what is past need not be multiplied. */
  weight = 1;
  /** By curve and size: requests that reused so many bytes, in the weight of their time. */
  private readonly reuses: Float64Array;
  private readonly reusedBytes: Float64Array;
  /** Requests that reused anything, in the weights of their times. */
  private reusing = 0;
  private readonly trend: ReuseTrend;
  private loadedBytes = 0;
  private loadSeconds = 0;
  private readonly growth = new Growth();

  /** @param history requests at the start of the log that are not scored. */
  constructor(
    private readonly curves: number,
    history: number,
  ) {
    this.trend = new ReuseTrend(history);
    this.reuses = new Float64Array(curves * BINS);
    this.reusedBytes = new Float64Array(curves);
  }

  add(found: Found): void {
    if (this.weight > LARGEST_WEIGHT) this.rescale();
    this.weight *= 2 ** (1 / MEMORY_HALF_LIFE);
    const { weight } = this;
    this.requests += weight;
    this.trend.note(found.bytes > 0);
    if (found.bytes === 0) return;
    this.reusing += weight;
    const { size, curve } = found;
    if (found.quality < 1) this.growth.learn(size, found.bytes, weight);
    if (size > 0) this.reuses[curve * BINS + binOf(size)]! += weight;
    this.reusedBytes[curve]! += weight * found.bytes;
    this.loadedBytes += weight * found.loadedBytes;
    this.loadSeconds += weight * found.loadSeconds;
  }

  /** All reuses, in the weights of their times. */
  get total(): number {
    return sum(this.reuses);
  }

  /** Octaves by which contexts have grown in the mean till they are reused, at least 0. */
  get growthOctaves(): number {
    return this.growth.meanOctaves;
  }

  /** By which factor fewer requests reuse anything than will. */
  get shareOfToCome(): number {
    const late = this.reusing / this.requests;
    return late / this.trend.shareToCome(late);
  }

  /** Seconds to load a stored byte. */
  get secondsPerByte(): number {
    return this.loadSeconds / this.loadedBytes;
  }

  /** Bytes that a request reused in the mean, by curve; each leans on all of them by a share. */
  reusedBytesPerRequest(priorShare: number): (curve: number) => number {
    const all = sum(this.reusedBytes);
    return (curve) => (this.reusedBytes[curve]! + priorShare * all) / this.requests;
  }

  /** By curve: the reuses by size. */
  bySize(): Float64Array[] {
    return Array.from({ length: this.curves }, (_, curve) =>
      this.reuses.subarray(curve * BINS, (curve + 1) * BINS),
    );
  }

  /** Of the sizes: bytes when a level is chosen, and bytes expected of the reuses. */
  sizes(): { readonly bytes: Float64Array; readonly expectedBytes: Float64Array } {
    return { bytes: BYTES_OF_BIN, expectedBytes: BYTES_OF_BIN.map((bytes) => this.expectedBytes(bytes)) };
  }

  /** Bytes expected of the reuses of a context of so many bytes. */
  expectedBytes(bytes: number): number {
    return this.growth.expected(bytes);
  }

  /** Counts the weights from 1 again, as a long log would outgrow them. */
  private rescale(): void {
    const by = 1 / this.weight;
    this.weight = 1;
    this.requests *= by;
    this.reusing *= by;
    this.loadedBytes *= by;
    this.loadSeconds *= by;
    for (let i = 0; i < this.reuses.length; i++) this.reuses[i]! *= by;
    for (let i = 0; i < this.reusedBytes.length; i++) this.reusedBytes[i]! *= by;
    this.growth.rescale(by);
  }
}

function binOf(bytes: number): number {
  return Math.max(0, Math.min(BINS - 1, Math.floor(BINS_PER_OCTAVE * Math.log2(bytes / SMALLEST_BYTES))));
}

/** The sum of a column. */
export function sum(values: Float64Array | Int32Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}
