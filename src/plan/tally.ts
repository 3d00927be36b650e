import { qualityOf, storedBytesOf, ttftOf, utilityOf } from './choice-costs.js';
import { KEEP_NOTHING, type Problem } from './problem.js';
import { addUse, type Row } from './rows.js';

/** What choices add up to as a plan has them, bytes rounded up. */
export interface Tally {
  readonly utility: number;
  /** Of each row. */
  readonly use: Float64Array;
  /** Seconds of TTFT, weighted by accesses. */
  readonly ttftSeconds: number;
  /** Quality, and what is served from a tier, weighted by accesses and requestShare. */
  readonly quality: number;
  readonly kept: number;
  /** Stored bytes, by tier. */
  readonly usedBytes: Float64Array;
}

/** Sums up the choices of some contexts on top of a tally of others. */
export function tallyOf(
  problem: Problem,
  rows: readonly Row[],
  choices: Int32Array,
  contexts: Int32Array,
  others: Tally,
): Tally {
  const { accesses, requestShare } = problem.demand;
  const count = problem.forms.storedBytes.length;
  const use = others.use.slice();
  const usedBytes = others.usedBytes.slice();
  let { ttftSeconds, quality, kept } = others;
  let utility = 0;
  for (const i of contexts) {
    const choice = choices[i]!;
    const f = accesses[i]!;
    const weight = f * requestShare[i]!;
    utility += utilityOf(problem, i, choice);
    ttftSeconds += f * ttftOf(problem, i, choice);
    quality += weight * qualityOf(problem, choice);
    if (choice === KEEP_NOTHING) continue;
    kept += weight;
    usedBytes[Math.floor(choice / count)]! += storedBytesOf(problem, i, choice % count);
    addUse(problem, rows, i, choice, use);
  }
  return { utility: others.utility + utility, use, ttftSeconds, quality, kept, usedBytes };
}

/** Two tallies of different contexts together. */
export function tallied(a: Tally, b: Tally): Tally {
  return {
    utility: a.utility + b.utility,
    use: a.use.map((amount, r) => amount + b.use[r]!),
    ttftSeconds: a.ttftSeconds + b.ttftSeconds,
    quality: a.quality + b.quality,
    kept: a.kept + b.kept,
    usedBytes: a.usedBytes.map((bytes, t) => bytes + b.usedBytes[t]!),
  };
}
