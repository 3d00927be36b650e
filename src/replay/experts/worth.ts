import { AGE_BINS, AGE_EDGES, ageBin } from './ages.js';
import type { Aged } from './aging.js';
import { FEATURE_COUNT, type FeatureReader } from './features.js';
import { ReturnModel } from './return-model.js';
import type { RunTable } from './run-table.js';

const RETURN_BINS = 16;
const GAP_BINS = 4;
/** Classes of runs: by how likely and how soon they come back. */
export const CLASSES = RETURN_BINS * GAP_BINS;
/** Uses that a class's hazard borrows from what is known of all classes. */
const PRIOR_WEIGHT = 20;
/** Every so many requests counts are decayed and the worth is computed anew. */
const REFRESH_EVERY = 64;
/** Values are told apart to this part when lists are ordered; those that are equal, by the list's number. */
const VALUE_STEPS = 2 ** 40;
/** Half-life of the counts, in requests. */
const COUNT_HALF_LIFE = 4000;

/**
 * What a block of a class is worth at an age: the expected discounted number of next uses, E[exp(−T / τ)]
 * from now on. The hazard of each class and age is counted from uses and non-uses; a run's class comes from
 * the return model at its last use.
 */
export class Worth {
  /** By run: its class at its last use. */
  readonly classOf: Uint8Array;
  /** Lists (class · AGE_BINS + bin) of the classes that any run was in, from the least worth to the most; the rank of each. */
  readonly order = new Int32Array(CLASSES * AGE_BINS);
  readonly rankOf = new Int32Array(CLASSES * AGE_BINS);
  readonly value = new Float64Array(CLASSES * AGE_BINS);
  private readonly model = new ReturnModel();
  private readonly learned: Uint8Array;
  /** Blocks that entered an age, and of these those used within it. */
  private readonly entered = new Float64Array(CLASSES * AGE_BINS);
  private readonly used = new Float64Array(CLASSES * AGE_BINS);
  /** By bin: the hazard and the value of a class that nothing is known of. */
  private readonly prior = new Float64Array(AGE_BINS);
  private readonly priorValue = new Float64Array(AGE_BINS);
  /** The classes that any run was in. */
  private readonly groups: number[] = [];
  private readonly isKnown = new Uint8Array(CLASSES);
  private readonly keys = new Float64Array(CLASSES * AGE_BINS);
  private readonly censorBin: number;
  /** By bin: the discount over half of it, and over all of it. */
  private readonly halfway: Float64Array;
  private readonly across: Float64Array;
  onNewOrder: (() => void) | undefined;

  constructor(
    private readonly runs: RunTable,
    private readonly reader: FeatureReader,
    /** Requests after which a next use counts 1/e. */
    readonly tau: number,
  ) {
    this.classOf = runs.uint8();
    this.learned = runs.uint8();
    this.halfway = Float64Array.from({ length: AGE_BINS }, (_, bin) => Math.exp(-widthOf(bin) / 2 / tau));
    this.across = this.halfway.map((discount) => discount * discount);
    this.censorBin = Math.min(AGE_BINS - 1, ageBin(3 * tau));
    this.refresh();
  }

  /** Learns what the walked path tells about the runs' last uses; before it is settled. */
  learn(): void {
    const { path, knownLength, lastUse, length, now } = this.runs;
    for (let i = 0; i < knownLength; i++) {
      const run = path[i]!;
      const gap = now - lastUse[run]!;
      const blocks = length[run]!;
      this.used[this.classOf[run]! * AGE_BINS + ageBin(gap)]! += blocks;
      if (this.learned[run] === 0 && this.isTaught(run)) {
        const discount = Math.exp(-gap / this.tau);
        this.model.learn(this.reader.values, run * FEATURE_COUNT, discount, gap);
      }
    }
  }

  /** Puts the runs of the walked path into classes, by the features just read. */
  classify(): void {
    const { path, pathLength, length } = this.runs;
    const { values } = this.reader;
    const { model } = this;
    let deeper = Number.NEGATIVE_INFINITY;
    for (let i = pathLength - 1; i >= 0; i--) {
      const run = path[i]!;
      // What lies deeper is of no use without this run, which is therefore worth at least as much.
      model.predict(values, run * FEATURE_COUNT);
      deeper = Math.max(deeper, model.logit);
      const group = returnBin(deeper) * GAP_BINS + gapBin(model.logGap);
      if (this.isKnown[group] === 0) this.meet(group);
      this.classOf[run] = group;
      this.learned[run] = 0;
      this.entered[group * AGE_BINS]! += length[run]!;
    }
    if (this.runs.now % REFRESH_EVERY === 0) this.refresh();
  }

  /** Runs enter age bins unused. */
  grow({ runs, bins, count }: Aged): void {
    const { entered, censorBin } = this;
    const classOf = this.classOf;
    const learned = this.learned;
    const length = this.runs.length;
    for (let i = 0; i < count; i++) {
      const run = runs[i]!;
      const bin = bins[i]!;
      entered[classOf[run]! * AGE_BINS + bin]! += length[run]!;
      if (bin !== censorBin || learned[run] !== 0) continue;
      learned[run] = 1;
      if (this.isTaught(run))
        this.model.learn(this.reader.values, run * FEATURE_COUNT, 0, Number.POSITIVE_INFINITY);
    }
  }

  /** Every other run teaches the model: half the work, and as good. */
  private isTaught(run: number): boolean {
    return ((run ^ this.runs.now) & 1) === 0;
  }

  /** A run is in a class for the first time. */
  private meet(group: number): void {
    this.isKnown[group] = 1;
    for (let bin = 0; bin < AGE_BINS; bin++)
      this.order[this.groups.length * AGE_BINS + bin] = group * AGE_BINS + bin;
    this.groups.push(group);
    this.value.set(this.priorValue, group * AGE_BINS);
    this.sort();
  }

  private refresh(): void {
    const { entered, used, groups, prior, value } = this;
    const decay = 2 ** (-REFRESH_EVERY / COUNT_HALF_LIFE);
    for (let bin = 0; bin < AGE_BINS; bin++) {
      let uses = 0.02;
      let all = 1;
      for (const group of groups) {
        uses += used[group * AGE_BINS + bin]!;
        all += entered[group * AGE_BINS + bin]!;
      }
      prior[bin] = Math.min(1, uses / all);
    }
    let ahead = 0;
    for (let bin = AGE_BINS - 1; bin >= 0; bin--) {
      ahead = this.valueAt(bin, prior[bin]!, ahead);
      this.priorValue[bin] = ahead;
    }
    for (const group of groups) {
      ahead = 0;
      for (let bin = AGE_BINS - 1; bin >= 0; bin--) {
        const at = group * AGE_BINS + bin;
        const hazard = (used[at]! + PRIOR_WEIGHT * prior[bin]!) / (entered[at]! + PRIOR_WEIGHT);
        ahead = this.valueAt(bin, Math.min(1, hazard), ahead);
        value[at] = ahead;
        entered[at]! *= decay;
        used[at]! *= decay;
      }
    }
    this.sort();
  }

  /** The value at the start of a bin, from the hazard in it and the value at its end. */
  private valueAt(bin: number, hazard: number, ahead: number): number {
    return hazard * this.halfway[bin]! + (1 - hazard) * this.across[bin]! * ahead;
  }

  private sort(): void {
    const { groups, value, order, rankOf, keys } = this;
    const count = groups.length * AGE_BINS;
    // Little has changed since the lists were sorted last: each moves a few places.
    for (let i = 0; i < count; i++) {
      const list = order[i]!;
      const key = Math.floor(value[list]! * VALUE_STEPS);
      let rank = i;
      for (; rank > 0; rank--) {
        const before = keys[rank - 1]!;
        if (before < key || (before === key && order[rank - 1]! < list)) break;
        keys[rank] = before;
        order[rank] = order[rank - 1]!;
      }
      keys[rank] = key;
      order[rank] = list;
    }
    for (let rank = 0; rank < count; rank++) rankOf[order[rank]!] = rank;
    this.onNewOrder?.();
  }
}

function widthOf(bin: number): number {
  if (bin === 0) return AGE_EDGES[0]!;
  return bin < AGE_EDGES.length ? AGE_EDGES[bin]! - AGE_EDGES[bin - 1]! : AGE_EDGES.at(-1)!;
}

function returnBin(logit: number): number {
  return Math.max(0, Math.min(RETURN_BINS - 1, Math.floor((logit + 6) / 0.75)));
}

function gapBin(logGap: number): number {
  return Math.max(0, Math.min(GAP_BINS - 1, Math.floor((logGap - 2) / 2.5)));
}
