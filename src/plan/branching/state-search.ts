import { KEPT } from '../rows.js';
import type { OpenCore } from './open-core.js';

/** What a search by states found in a core. */
export interface StatesFound {
  /** Whether every plan of the core was judged; if not, states became too many. */
  readonly complete: boolean;
  /** The best plan that gains more than was asked for: its gain and its options, by context. */
  readonly gained: number;
  readonly options: Int32Array | undefined;
  /** The best bound among the states that were given up for nothing better. */
  readonly forgone: number;
  /** Options put to states. */
  readonly work: number;
}

/** States in columns: what is used so far (`state · rows + r`), what is gained, and how they came about. */
interface States {
  length: number;
  readonly use: Float64Array;
  readonly gain: Float64Array;
  readonly trail: Int32Array;
}

/** States before they are compared with each other, as a multiple of those that are kept. */
const RAW = 4;

/**
 * Judges all plans of a core without parents by dynamic programming over what the contexts use, the ones that move most
 * priced room first. States that use the same are one. What a state can still become is bounded at the prices of
 * several answers; a part of a plan that promises nothing better at one of them is given up.
 */
export class StateSearch {
  private readonly R: number;
  private now: States;
  private next: States;
  private readonly option: Int32Array;
  private readonly order: Int32Array;
  /** By kept state of all contexts so far: the state before, and its option. */
  private readonly before: number[] = [];
  private readonly chosen: number[] = [];

  /** @param width states kept at most. */
  constructor(
    private readonly limits: Float64Array,
    private readonly width: number,
  ) {
    this.R = limits.length;
    const states = (): States => ({
      length: 0,
      use: new Float64Array(RAW * width * this.R),
      gain: new Float64Array(RAW * width),
      trail: new Int32Array(RAW * width),
    });
    this.now = states();
    this.next = states();
    this.option = new Int32Array(RAW * width);
    this.order = new Int32Array(RAW * width);
  }

  /** @param prices of some answers, the best first. @param enough what no plan of interest stays below. */
  run(core: OpenCore, prices: readonly Float64Array[], enough: number): StatesFound {
    const { R, limits } = this;
    const ahead = aheadOf(core, prices, limits.length);
    const { sequence } = ahead;
    const K = sequence.length;
    this.before.length = 0;
    this.chosen.length = 0;
    this.before.push(-1);
    this.chosen.push(-1);
    this.now.length = 1;
    this.now.gain[0] = core.settledGain;
    this.now.use.set(core.settledUse);
    this.now.trail[0] = 0;
    let gained = enough;
    let found = -1;
    let reached = 0;
    let forgone = Number.NEGATIVE_INFINITY;
    let work = 0;
    const most = limits.map((limit) => limit * KEPT);
    const ended = (complete: boolean): StatesFound => ({
      complete,
      gained,
      options: found < 0 ? undefined : this.optionsOf(found, reached, ahead),
      forgone,
      work,
    });
    for (let at = 0; at < K; at++) {
      const k = sequence[at]!;
      const { now, next, option } = this;
      next.length = 0;
      for (let s = 0; s < now.length; s++) {
        for (let o = core.first[k]!; o < core.first[k + 1]!; o++) {
          work++;
          if (next.length === RAW * this.width) return ended(false);
          const into = next.length * R;
          let fits = true;
          for (let r = 0; r < R; r++) {
            const used = now.use[s * R + r]! + core.use[o * R + r]!;
            next.use[into + r] = used;
            if (used + ahead.least[(at + 1) * R + r]! > most[r]!) fits = false;
          }
          if (!fits) continue;
          const gain = now.gain[s]! + core.gain[o]!;
          let bound = Number.POSITIVE_INFINITY;
          for (let p = 0; p < prices.length && bound > gained; p++) {
            const price = prices[p]!;
            let value = gain + ahead.best[p * (K + 1) + at + 1]!;
            for (let r = 0; r < R; r++) value += price[r]! * (limits[r]! - next.use[into + r]!);
            if (value < bound) bound = value;
          }
          if (bound <= gained) {
            forgone = Math.max(forgone, bound);
            continue;
          }
          next.gain[next.length] = gain;
          next.trail[next.length] = now.trail[s]!;
          option[next.length] = o;
          next.length++;
        }
      }
      if (!this.merge()) return ended(false);
      // The rest as it is best at the first prices makes a plan of every state that it fits.
      for (let s = 0; s < this.now.length; s++) {
        const gain = this.now.gain[s]! + ahead.gain[at + 1]!;
        if (gain <= gained) continue;
        let fits = true;
        for (let r = 0; r < R; r++)
          if (this.now.use[s * R + r]! + ahead.use[(at + 1) * R + r]! > limits[r]!) fits = false;
        if (!fits) continue;
        gained = gain;
        found = this.now.trail[s]!;
        reached = at + 1;
      }
    }
    return ended(true);
  }

  /** The options of a plan, by context: along its trail as far as that has reached, from there on the best ahead. */
  private optionsOf(found: number, reached: number, ahead: Ahead): Int32Array {
    const options = ahead.choice.slice();
    for (let at = reached - 1, trail = found; at >= 0; at--, trail = this.before[trail]!)
      options[ahead.sequence[at]!] = this.chosen[trail]!;
    return options;
  }

  /** Makes the next states the present ones, of those that use the same the best. @returns false where they are too many. */
  private merge(): boolean {
    const { R, now: into, next: from, option, before, chosen } = this;
    const { use, gain } = from;
    const order = this.order.subarray(0, from.length);
    for (let s = 0; s < order.length; s++) order[s] = s;
    order.sort((a, b) => {
      for (let r = 0; r < R; r++) {
        const difference = use[a * R + r]! - use[b * R + r]!;
        if (difference !== 0) return difference;
      }
      return gain[b]! - gain[a]! || a - b;
    });
    into.length = 0;
    let last = -1;
    for (const s of order) {
      let same = last >= 0;
      for (let r = 0; r < R && same; r++) same = use[s * R + r] === use[last * R + r];
      if (same) continue;
      last = s;
      if (into.length === this.width) return false;
      for (let r = 0; r < R; r++) into.use[into.length * R + r] = use[s * R + r]!;
      into.gain[into.length] = gain[s]!;
      into.trail[into.length] = before.push(from.trail[s]!) - 1;
      chosen.push(option[s]!);
      into.length++;
    }
    return true;
  }
}

/** What contexts can do from each place of the sequence on. */
interface Ahead {
  /** Contexts in the order in which they are decided on. */
  readonly sequence: Int32Array;
  /** The least they use, `place · rows + r`. */
  readonly least: Float64Array;
  /** The best they are worth at each of the prices, `prices · (contexts + 1) + place`. */
  readonly best: Float64Array;
  /** Their choices at the first prices, by context, and what these gain and use from each place on. */
  readonly choice: Int32Array;
  readonly gain: Float64Array;
  readonly use: Float64Array;
}

function aheadOf(core: OpenCore, prices: readonly Float64Array[], R: number): Ahead {
  const { first, use, gain } = core;
  const K = core.context.length;
  const spread = Float64Array.from(core.context, (_, k) => {
    let sum = 0;
    for (let r = 0; r < R; r++) {
      let low = Number.POSITIVE_INFINITY;
      let high = 0;
      for (let o = first[k]!; o < first[k + 1]!; o++) {
        low = Math.min(low, use[o * R + r]!);
        high = Math.max(high, use[o * R + r]!);
      }
      sum += prices[0]![r]! * (high - low);
    }
    return sum;
  });
  const sequence = Int32Array.from(core.context.keys()).sort((a, b) => spread[b]! - spread[a]! || a - b);
  const ahead = {
    sequence,
    least: new Float64Array((K + 1) * R),
    best: new Float64Array(prices.length * (K + 1)),
    choice: new Int32Array(K),
    gain: new Float64Array(K + 1),
    use: new Float64Array((K + 1) * R),
  };
  for (let at = K - 1; at >= 0; at--) {
    const k = sequence[at]!;
    prices.forEach((price, p) => {
      let most = Number.NEGATIVE_INFINITY;
      for (let o = first[k]!; o < first[k + 1]!; o++) {
        let value = gain[o]!;
        for (let r = 0; r < R; r++) value -= price[r]! * use[o * R + r]!;
        if (value <= most) continue;
        most = value;
        if (p === 0) ahead.choice[k] = o;
      }
      ahead.best[p * (K + 1) + at] = ahead.best[p * (K + 1) + at + 1]! + most;
    });
    const o = ahead.choice[k]!;
    ahead.gain[at] = ahead.gain[at + 1]! + gain[o]!;
    for (let r = 0; r < R; r++) {
      let low = Number.POSITIVE_INFINITY;
      for (let each = first[k]!; each < first[k + 1]!; each++) low = Math.min(low, use[each * R + r]!);
      ahead.least[at * R + r] = ahead.least[(at + 1) * R + r]! + low;
      ahead.use[at * R + r] = ahead.use[(at + 1) * R + r]! + use[o * R + r]!;
    }
  }
  return ahead;
}
