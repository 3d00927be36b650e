import { kvBytes, prefillSeconds } from '../../cost/prefill.js';
import {
  alphaForLoss,
  lastingForm,
  type SizedForm,
  type SizedForms,
  sizedForms,
} from '../../plan/sized-levels.js';
import type { Objective, PolicySetting } from '../policy.js';
import type { Found } from './found.js';
import { QualityLedger } from './quality-ledger.js';
import { SeenReuses, sum } from './seen-reuses.js';

/**
 * Contexts grow, and what is lossy stays lossy: a miss shows only when it is too late to be made good. Which share of
 * the loss that is asked for is aimed at in the history, and how much less than all of it while requests are scored,
 * for each octave that contexts have grown till they are reused.
 */
const AIM_IN_HISTORY = 0.8;
const CAUTION_PER_OCTAVE = 0.05;
/** Contexts that grow by fewer octaves till they are reused lose later what they lose now. */
const NO_GROWTH = 0.2;
/** Reuses that are taken to be still to come: that few requests have reused anything so far promises nothing. */
const CAUTION = 300;
/** Reuses to have seen before sizes and classes are judged by them. */
const ENOUGH_REUSES = 20;
/** A class's room per reuse leans on that of all classes by this share of all reuse. */
const PRIOR_SHARE = 0.05;

/**
 * The level at which a context is stored that no plan knows: by its class and its size, as the plan's own
 * objective has it. A unit of a request's quality is worth `alpha` seconds, whatever its length, while what
 * compression saves grows with the bytes: long contexts are compressed more than short ones. Where a mean
 * quality is asked for, alpha is the multiplier that holds it.
 */
export class AdaptiveLevels {
  alpha: number;
  /** Seconds a reuse costs for each uncompressed byte of a context, by curve · levels + level. */
  readonly secondsPerByte: Float64Array;
  private readonly seen: SeenReuses;
  private readonly ledger: QualityLedger | undefined;
  private forms: readonly SizedForms[];
  /** Whether enough is known to choose by; where no mean quality is asked for, alpha is given. */
  ready: boolean;

  constructor(
    private readonly setting: PolicySetting,
    private readonly objective: Objective,
  ) {
    this.seen = new SeenReuses(setting.store.compression.curves, setting.history);
    this.alpha = objective.alpha;
    this.secondsPerByte = new Float64Array(setting.store.compression.quality.length);
    const fastest = Math.max(...setting.tiers.map((tier) => tier.read.bytesPerSecond));
    this.forms = this.formsAt(() => 1 / fastest);
    const { meanQuality } = objective;
    this.ready = meanQuality === undefined;
    if (meanQuality !== undefined) this.ledger = new QualityLedger(meanQuality, setting.history);
  }

  /** The level at which a context of a curve is stored when its whole path takes so many bytes uncompressed. */
  levelFor(curve: number, bytes: number): number {
    return lastingForm(this.forms[curve]!, this.alpha, bytes, this.seen.expectedBytes(bytes)).level;
  }

  /** Whether nothing was ever stored at levels chosen here. */
  get isIdle(): boolean {
    return this.seen.requests === 0;
  }

  /** Notes what a request found in the caches whose levels were chosen here. */
  observe(request: number, found: Found): void {
    this.seen.add(found);
    this.ledger?.note(request, found.quality);
  }

  /**
   * Chooses levels for what comes.
   * @param roomSeconds what all contexts' room costs a request, in seconds: what one e-fold less of it would save.
   * @param heldBytes uncompressed bytes of what is kept now, by curve.
   * @param storedBytes what they take.
   */
  choose(roomSeconds: number, heldBytes: Float64Array, storedBytes: number): void {
    const { seen } = this;
    const { total, weight } = seen;
    if (total < ENOUGH_REUSES * weight || storedBytes === 0) return;
    const load = seen.secondsPerByte;
    const held = sum(heldBytes);
    const reusedBy = seen.reusedBytesPerRequest(PRIOR_SHARE);
    this.forms = this.formsAt((curve) => {
      const heldHere = heldBytes[curve]! + PRIOR_SHARE * held;
      return load + (roomSeconds * heldHere) / storedBytes / reusedBy(curve);
    });
    if (this.ledger === undefined) return;
    this.ready = true;
    const cautiousReuses = total + CAUTION * weight;
    const cautiousRequests = seen.requests + CAUTION * weight;
    const requestsPerReuse = (cautiousRequests / cautiousReuses) * seen.shareOfToCome;
    const lossPerReuse = this.ledger.lossAllowed(this.aim()) * requestsPerReuse;
    const bySize = seen.bySize();
    const demands = this.forms.map((forms, curve) => ({ forms, reuses: bySize[curve]! }));
    this.alpha = alphaForLoss(demands, seen.sizes(), lossPerReuse * total);
  }

  /**
   * Whether what is kept whole may be compressed further. Levels are chosen as if what is lossy could be chosen anew
   * with them; where contexts do not grow, what requests lose of late tells whether that would be too much.
   */
  get mayLoseMore(): boolean {
    return this.ledger === undefined || !this.isSteady || this.ledger.hasRoom(this.aim());
  }

  /**
   * Whether what loses more than it is meant to may have to be recomputed: not while the quality asked for is held
   * by contexts that do not grow. The history's quality is nobody's loss, but tells what its contexts will lose.
   */
  get mayHaveToRestore(): boolean {
    return !this.ledger?.scoring || !this.isSteady || !this.ledger.hasRoom();
  }

  private get isSteady(): boolean {
    return this.seen.growthOctaves < NO_GROWTH;
  }

  private aim(): number {
    if (!this.ledger!.scoring) return AIM_IN_HISTORY;
    return Math.max(AIM_IN_HISTORY, 1 - CAUTION_PER_OCTAVE * this.seen.growthOctaves);
  }

  /** @param secondsPerByte what a stored byte costs each time it is reused, by curve. */
  private formsAt(secondsPerByte: (curve: number) => number): SizedForms[] {
    const { levels, bytesFraction, quality, decompressSecondsPerByte } = this.setting.store.compression;
    const { minQuality = 0 } = this.objective;
    const prefill = this.meanPrefillSecondsPerByte();
    const fastest = Math.max(...this.setting.tiers.map((tier) => tier.read.bytesPerSecond));
    return Array.from({ length: this.setting.store.compression.curves }, (_, curve) => {
      const each = secondsPerByte(curve);
      const offered: SizedForm[] = [];
      for (let level = 0; level < levels.length; level++) {
        const at = curve * levels.length + level;
        this.secondsPerByte[at] = bytesFraction[at]! * each + decompressSecondsPerByte[at]!;
        // Loading and decompressing has to be quicker than prefilling anew.
        const pays = bytesFraction[at]! / fastest + decompressSecondsPerByte[at]! < prefill;
        if (level > 0 && (quality[at]! < minQuality || !pays)) continue;
        offered.push({
          level,
          quality: quality[at]!,
          secondsPerByte: this.secondsPerByte[at]!,
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
