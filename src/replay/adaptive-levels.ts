import { kvBytes, prefillSeconds } from '../cost/prefill.js';
import { type ClassChoice, type ClassDemand, levelsAtAlpha, levelsAtQuality } from '../plan/class-levels.js';
import type { Trace } from '../traces/trace.js';
import type { Objective, PolicySetting } from './policy.js';

/** Half-life of what is remembered of the classes' reuses, in requests. */
const MEMORY_HALF_LIFE = 1000;
/** Reuses to have seen before levels other than the uncompressed cache are chosen by them. */
const ENOUGH_REUSES = 20;

/**
 * Levels by class for contexts that no plan knows, chosen anew as the log goes on: the fewest seconds of room
 * and loading for the quality that is asked for. A context keeps the level it was stored at.
 */
export class AdaptiveLevels {
  private readonly trace: Trace;
  private readonly curves: number;
  /** By curve: requests that reused something, and bytes (uncompressed) they reused; decayed. */
  private readonly reuses: Float64Array;
  private readonly reusedBytes: Float64Array;
  /** Seconds to prefill a byte of cache, for a request of mean length. */
  private readonly prefillSecondsPerByte: number;
  private choices: readonly ClassChoice[];
  /** The best quality that any class's contexts are stored at. */
  private bestQuality: number;

  constructor(
    private readonly setting: PolicySetting,
    private readonly objective: Objective,
  ) {
    const { trace, store } = setting;
    this.trace = trace;
    this.curves = store.compression.curves;
    this.reuses = new Float64Array(this.curves);
    this.reusedBytes = new Float64Array(this.curves);
    this.prefillSecondsPerByte = this.meanPrefillSecondsPerByte();
    this.choices = this.firstChoices();
    this.bestQuality = this.bestChosenQuality();
  }

  /** The level for a context of a request's class; `draw` in [0, 1) says which side of a split class it is on. */
  levelFor(request: number, draw: number): number {
    const choice = this.choices[this.trace.classOf[request]! + 1]!;
    return draw < choice.otherShare ? choice.otherLevel : choice.level;
  }

  /**
   * The level for a context that several classes share: the fewest bytes at which it is no worse than what the
   * best of the classes gets from its own contexts.
   */
  sharedLevelFor(curve: number): number {
    const { levels, bytesFraction, quality } = this.setting.store.compression;
    let best = 0;
    for (let level = 1; level < levels.length; level++) {
      const at = curve * levels.length;
      const smaller = bytesFraction[at + level]! < bytesFraction[at + best]!;
      if (smaller && quality[at + level]! >= this.bestQuality && this.pays(curve, level)) best = level;
    }
    return best;
  }

  /** Notes what a request found in the caches. */
  observe(request: number, hitBytes: number): void {
    const keep = 2 ** (-1 / MEMORY_HALF_LIFE);
    for (let curve = 0; curve < this.curves; curve++) {
      this.reuses[curve]! *= keep;
      this.reusedBytes[curve]! *= keep;
    }
    if (hitBytes === 0) return;
    const curve = this.trace.classOf[request]! + 1;
    this.reuses[curve]!++;
    this.reusedBytes[curve]! += hitBytes;
  }

  /**
   * Chooses levels for what comes.
   * @param pricePerByte seconds that one more byte of room would have saved in the remembered period.
   */
  choose(pricePerByte: number): void {
    if (this.reuses.reduce((sum, n) => sum + n, 0) < ENOUGH_REUSES) return;
    const held = this.heldBytes();
    const secondsPerByte = this.meanSecondsPerByte();
    this.choices = this.solve((curve) => ({
      reuses: this.reuses[curve]!,
      wholeSeconds: pricePerByte * held[curve]! + secondsPerByte * this.reusedBytes[curve]!,
      bytes: this.reusedBytes[curve]!,
    }));
    this.bestQuality = this.bestChosenQuality();
  }

  private bestChosenQuality(): number {
    const { levels, quality } = this.setting.store.compression;
    return Math.max(
      ...this.choices.map(({ level, otherLevel, otherShare }, curve) =>
        // A class that hardly reuses anything does not bind the others.
        this.reuses[curve]! < 1
          ? 0
          : Math.max(
              otherShare < 1 ? quality[curve * levels.length + level]! : 0,
              otherShare > 0 ? quality[curve * levels.length + otherLevel]! : 0,
            ),
      ),
    );
  }

  /** Before anything has been reused all classes count alike. */
  private firstChoices(): readonly ClassChoice[] {
    return this.solve(() => ({ reuses: 1, wholeSeconds: 1, bytes: 0 }));
  }

  private solve(
    of: (curve: number) => { reuses: number; wholeSeconds: number; bytes: number },
  ): readonly ClassChoice[] {
    const { levels, bytesFraction, quality, decompressSecondsPerByte } = this.setting.store.compression;
    const { minQuality = 0, meanQuality, alpha } = this.objective;
    const demands: ClassDemand[] = [];
    for (let curve = 0; curve < this.curves; curve++) {
      const { reuses, wholeSeconds, bytes } = of(curve);
      const forms = levels
        .map((_, level) => ({
          level,
          bytesFraction: bytesFraction[curve * levels.length + level]!,
          quality: quality[curve * levels.length + level]!,
          decompressSeconds: decompressSecondsPerByte[curve * levels.length + level]! * bytes,
        }))
        .filter((form) => form.level === 0 || (form.quality >= minQuality && this.pays(curve, form.level)));
      // A class that has not been reused yet is stored as if it were, a little.
      demands.push({ reuses: Math.max(reuses, 1e-3), wholeSeconds: Math.max(wholeSeconds, 1e-9), forms });
    }
    return meanQuality === undefined ? levelsAtAlpha(demands, alpha) : levelsAtQuality(demands, meanQuality);
  }

  /** Whether loading a form from the fastest tier and decompressing it is quicker than prefilling anew. */
  private pays(curve: number, level: number): boolean {
    const { levels, bytesFraction, decompressSecondsPerByte } = this.setting.store.compression;
    const at = curve * levels.length + level;
    const fastest = Math.max(...this.setting.tiers.map((tier) => tier.read.bytesPerSecond));
    return bytesFraction[at]! / fastest + decompressSecondsPerByte[at]! < this.prefillSecondsPerByte;
  }

  private meanPrefillSecondsPerByte(): number {
    const { trace, model } = this.setting;
    const tokens = Math.max(1, trace.inputTokens.reduce((sum, n) => sum + n, 0) / trace.requests);
    return prefillSeconds(model, tokens) / kvBytes(model, tokens);
  }

  /** Seconds to load a byte, over the tiers as they are filled. */
  private meanSecondsPerByte(): number {
    const { tiers, store } = this.setting;
    let seconds = 0;
    let bytes = 0;
    tiers.forEach((tier, t) => {
      seconds += store.usedBytes[t]! / tier.read.bytesPerSecond;
      bytes += store.usedBytes[t]!;
    });
    return bytes > 0 ? seconds / bytes : 0;
  }

  /** By curve: uncompressed bytes of what is kept now. */
  private heldBytes(): Float64Array {
    const { store } = this.setting;
    const held = new Float64Array(this.curves);
    for (let block = 0; block < store.tierOf.length; block++) {
      if (store.tierOf[block]! >= 0) held[store.blocks.curveOf[block]!]! += store.blocks.fullBytes[block]!;
    }
    return held;
  }
}
