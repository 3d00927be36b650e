import { kvBytes, prefillSeconds } from '../cost/prefill.js';
import {
  alphaForLoss,
  lastingForm,
  type SizedForm,
  type SizedForms,
  sizedForms,
} from '../plan/sized-levels.js';
import { Growth } from './growth.js';
import type { Objective, PolicySetting } from './policy.js';
import { QualityLedger } from './quality-ledger.js';

/** Half-life of what is remembered of reuses, in requests. */
const MEMORY_HALF_LIFE = 1000;
/** Contexts grow, and what is lossy stays lossy: a miss shows only when it is too late to be made good. */
const AIMS = { history: 0.8, scored: 0.95 };
/** Reuses that are taken to be still to come: that few requests have reused anything so far promises nothing. */
const CAUTION = 300;
/** Weights are counted from 1 again before they get out of hand. */
const LARGEST_WEIGHT = 2 ** 100;
/** Reuses to have seen before sizes and classes are judged by them. */
const ENOUGH_REUSES = 20;
/** Sizes are told apart to an eighth of an octave, from a megabyte on. */
const BINS_PER_OCTAVE = 8;
const SMALLEST_BYTES = 2 ** 20;
const BINS = 24 * BINS_PER_OCTAVE;
/** A class's room per reuse leans on that of all classes by this share of all reuse. */
const PRIOR_SHARE = 0.05;

const BYTES_OF_BIN = Float64Array.from(
  { length: BINS },
  (_, bin) => SMALLEST_BYTES * 2 ** ((bin + 0.5) / BINS_PER_OCTAVE),
);

/**
 * The level at which a context is stored that no plan knows: by its class and its size, as the plan's own
 * objective has it. A unit of a request's quality is worth `alpha` seconds, whatever its length, while what
 * compression saves grows with the bytes: long contexts are compressed more than short ones. Where a mean
 * quality is asked for, alpha is the multiplier that holds it.
 */
export class AdaptiveLevels {
  alpha: number;
  private readonly curves: number;
  /** By curve and size: requests that reused so many bytes, in the weight of their time. */
  private readonly reuses: Float64Array;
  private readonly reusedBytes: Float64Array;
  /** Stored bytes that were loaded, and the seconds that took. */
  private loadedBytes = 0;
  private loadSeconds = 0;
  private requests = 0;
  private readonly ledger: QualityLedger | undefined;
  /** Weight of what happens now: it grows, so that what is past need not be multiplied. */
  private weight = 1;
  private forms: readonly SizedForms[];
  /** Whether enough is known to choose by; where no mean quality is asked for, alpha is given. */
  ready: boolean;
  private readonly growth = new Growth();

  constructor(
    private readonly setting: PolicySetting,
    private readonly objective: Objective,
  ) {
    this.curves = setting.store.compression.curves;
    this.alpha = objective.alpha;
    this.reuses = new Float64Array(this.curves * BINS);
    this.reusedBytes = new Float64Array(this.curves);
    const fastest = Math.max(...setting.tiers.map((tier) => tier.read.bytesPerSecond));
    this.forms = this.formsAt(() => 1 / fastest);
    const { meanQuality } = objective;
    this.ready = meanQuality === undefined;
    if (meanQuality !== undefined) this.ledger = new QualityLedger(meanQuality, setting.history, AIMS);
  }

  /** The level at which a context of a curve is stored when its whole path takes so many bytes uncompressed. */
  levelFor(curve: number, bytes: number): number {
    return lastingForm(this.forms[curve]!, this.alpha, bytes, this.growth.expected(bytes)).level;
  }

  /**
   * Notes what a request found in the caches.
   * @param curve and @param size what the largest context it found was stored for.
   * @param bytes it found, uncompressed; @param loaded stored bytes; @param seconds to load them.
   * @param own whether the levels of what it found were chosen here.
   */
  observe(
    request: number,
    curve: number,
    size: number,
    bytes: number,
    loaded: number,
    seconds: number,
    quality: number,
    own: boolean,
  ): void {
    if (this.weight > LARGEST_WEIGHT) this.rescale();
    this.weight *= 2 ** (1 / MEMORY_HALF_LIFE);
    this.requests += this.weight;
    if (own) this.ledger?.note(request, quality);
    if (bytes === 0) return;
    if (quality < 1) this.growth.learn(size, bytes, this.weight);
    if (size > 0) this.reuses[curve * BINS + binOf(size)]! += this.weight;
    this.reusedBytes[curve]! += this.weight * bytes;
    this.loadedBytes += this.weight * loaded;
    this.loadSeconds += this.weight * seconds;
  }

  /**
   * Chooses levels for what comes.
   * @param roomSeconds what all contexts' room costs a request, in seconds: what one e-fold less of it would save.
   * @param heldBytes uncompressed bytes of what is kept now, by curve.
   * @param storedBytes what they take.
   */
  choose(roomSeconds: number, heldBytes: Float64Array, storedBytes: number): void {
    const total = sum(this.reuses);
    if (total < ENOUGH_REUSES * this.weight || storedBytes === 0) return;
    const load = this.loadSeconds / this.loadedBytes;
    const held = sum(heldBytes);
    const reused = sum(this.reusedBytes);
    this.forms = this.formsAt((curve) => {
      const heldHere = heldBytes[curve]! + PRIOR_SHARE * held;
      const reusedHere = (this.reusedBytes[curve]! + PRIOR_SHARE * reused) / this.requests;
      return load + (roomSeconds * heldHere) / storedBytes / reusedHere;
    });
    if (this.ledger === undefined) return;
    this.ready = true;
    const cautiousReuses = total + CAUTION * this.weight;
    const cautiousRequests = this.requests + CAUTION * this.weight;
    const lossPerReuse = (this.ledger.lossAllowed * cautiousRequests) / cautiousReuses;
    const demands = this.forms.map((forms, curve) => ({
      forms,
      reuses: this.reuses.subarray(curve * BINS, (curve + 1) * BINS),
    }));
    const bins = {
      bytes: BYTES_OF_BIN,
      expectedBytes: BYTES_OF_BIN.map((bytes) => this.growth.expected(bytes)),
    };
    this.alpha = alphaForLoss(demands, bins, lossPerReuse * total);
  }

  /** Counts the weights from 1 again, as a long log would outgrow them. */
  private rescale(): void {
    const by = 1 / this.weight;
    this.weight = 1;
    this.requests *= by;
    this.loadedBytes *= by;
    this.loadSeconds *= by;
    for (let i = 0; i < this.reuses.length; i++) this.reuses[i]! *= by;
    for (let i = 0; i < this.reusedBytes.length; i++) this.reusedBytes[i]! *= by;
    this.growth.rescale(by);
  }

  /** @param secondsPerByte what a stored byte costs each time it is reused, by curve. */
  private formsAt(secondsPerByte: (curve: number) => number): SizedForms[] {
    const { levels, bytesFraction, quality, decompressSecondsPerByte } = this.setting.store.compression;
    const { minQuality = 0 } = this.objective;
    const prefill = this.meanPrefillSecondsPerByte();
    const fastest = Math.max(...this.setting.tiers.map((tier) => tier.read.bytesPerSecond));
    return Array.from({ length: this.curves }, (_, curve) => {
      const each = secondsPerByte(curve);
      const offered: SizedForm[] = [];
      for (let level = 0; level < levels.length; level++) {
        const at = curve * levels.length + level;
        // Loading and decompressing has to be quicker than prefilling anew.
        const pays = bytesFraction[at]! / fastest + decompressSecondsPerByte[at]! < prefill;
        if (level > 0 && (quality[at]! < minQuality || !pays)) continue;
        offered.push({
          level,
          quality: quality[at]!,
          secondsPerByte: bytesFraction[at]! * each + decompressSecondsPerByte[at]!,
        });
      }
      return sizedForms(offered);
    });
  }

  private meanPrefillSecondsPerByte(): number {
    const { trace, model } = this.setting;
    const tokens = Math.max(1, sum(trace.inputTokens) / trace.requests);
    return prefillSeconds(model, tokens) / kvBytes(model, tokens);
  }
}

function binOf(bytes: number): number {
  return Math.max(0, Math.min(BINS - 1, Math.floor(BINS_PER_OCTAVE * Math.log2(bytes / SMALLEST_BYTES))));
}

function sum(values: Float64Array | Int32Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}
