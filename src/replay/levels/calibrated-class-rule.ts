import type { Compression } from '../compression.js';
import { classRulesFrom } from '../level-rule.js';
import { QualityLedger } from './quality-ledger.js';
import { ReuseTrend } from './reuse-trend.js';
import { sum } from './seen-reuses.js';

/** Half-life of what is remembered of reuses, in requests. */
const MEMORY_HALF_LIFE = 1000;
/** Requests that are taken to have come before the first, each of which reused something. */
const CAUTION = 300;
/** Mean qualities this near to each other count as equal, but none is equal to 1: what may lose nothing stays whole. */
const EQUAL = 0.003;

/**
 * The class rule of the lowest quality with which the mean that is asked for is kept: by how many requests of each
 * class reuse anything, as far as the log has gone.
 */
export class CalibratedClassRule {
  private readonly ledger: QualityLedger;
  /** From the fewest bytes to the best quality; by curve: the level. */
  private readonly rules: readonly (readonly number[])[];
  private levels: readonly number[];
  /** By curve: requests that reused something, decayed. */
  private readonly reuses: Float64Array;
  private requests = CAUTION;
  private readonly trend: ReuseTrend;
  /** By how much the rule's mean quality may fall short of what is asked for. */
  private readonly slack: number;

  /** @param history requests at the start of the log whose quality is nobody's loss. */
  constructor(
    private readonly compression: Compression,
    meanQuality: number,
    minQuality: number | undefined,
    history: number,
  ) {
    const { curves } = compression;
    this.trend = new ReuseTrend(history);
    this.slack = Math.min(EQUAL, 1 - meanQuality);
    this.ledger = new QualityLedger(meanQuality, history);
    this.rules = classRulesFrom(compression, minQuality);
    this.reuses = new Float64Array(curves);
    if (curves === 1) this.reuses[0] = CAUTION;
    else this.reuses.fill(CAUTION / (curves - 1), 1);
    this.levels = this.strongestRule();
  }

  levelFor(curve: number): number {
    return this.levels[curve]!;
  }

  /**
   * Notes whether a request of a curve reused anything, and the quality that left it with.
   * @param own whether the levels of what it found were chosen here.
   */
  observe(request: number, curve: number, reused: boolean, quality: number, own: boolean): void {
    const keep = 2 ** (-1 / MEMORY_HALF_LIFE);
    for (let c = 0; c < this.reuses.length; c++) this.reuses[c]! *= keep;
    this.requests = keep * this.requests + 1;
    this.trend.note(reused);
    if (reused) this.reuses[curve]!++;
    if (own) this.ledger.note(request, quality);
  }

  /** Chooses the rule for what comes. */
  choose(): void {
    this.levels = this.strongestRule();
  }

  private strongestRule(): readonly number[] {
    const reuses = sum(this.reuses);
    const requestsPerReuse = 1 / this.trend.shareToCome(reuses / this.requests);
    const allowed = (this.ledger.lossAllowed() + this.slack) * requestsPerReuse * reuses;
    return this.rules.find((rule) => this.lossOf(rule) <= allowed) ?? this.rules.at(-1)!;
  }

  private lossOf(rule: readonly number[]): number {
    const { quality, levels } = this.compression;
    let loss = 0;
    for (let curve = 0; curve < rule.length; curve++)
      loss += this.reuses[curve]! * (1 - quality[curve * levels.length + rule[curve]!]!);
    return loss;
  }
}
