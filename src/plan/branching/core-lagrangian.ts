import type { Lagrangian } from '../lagrangian.js';
import { AS_FOUND, NOT_KEPT, type OpenCore } from './open-core.js';

/**
 * The Lagrangian of the contexts of a core, with or without parents. Beside the best choices it tells what every
 * option costs: how far the best choices that include it stay behind (passes from the leaves up and from the roots
 * down). A path's state is AS_FOUND = 0 while nothing lossy is on it, else 1 + its lossy form.
 */
export class CoreLagrangian implements Lagrangian {
  /** The options of the last answer, by context. */
  readonly chosen: Int32Array;
  private readonly states: number;
  private readonly isAlone: Uint8Array;
  private readonly value: Float64Array;
  /** By context and state of the path above: the best from here down; and what the children add, by state below. */
  private readonly best: Float64Array;
  private readonly below: Float64Array;
  private readonly nothing: Float64Array;
  private readonly entered: Int32Array;

  constructor(
    readonly core: OpenCore,
    readonly limits: Float64Array,
    lossyForms: number,
  ) {
    const { context, parent, choice } = core;
    const K = context.length;
    this.chosen = new Int32Array(K);
    this.isAlone = new Uint8Array(K).fill(1);
    for (let k = 0; k < K; k++) if (parent[k]! >= 0) this.isAlone[k] = this.isAlone[parent[k]!] = 0;
    const trees = this.isAlone.includes(0);
    this.states = trees ? 1 + lossyForms : 0;
    this.value = new Float64Array(choice.length);
    this.best = new Float64Array(K * this.states);
    this.below = new Float64Array(K * this.states);
    this.nothing = new Float64Array(trees ? K : 0);
    this.entered = new Int32Array(trees ? K : 0);
  }

  choose(prices: Float64Array, use: Float64Array): number {
    const { core, chosen } = this;
    const R = prices.length;
    this.price(prices);
    if (this.states > 0) {
      this.climb(undefined);
      this.descend();
    }
    this.chooseAlone();
    use.set(core.settledUse);
    let utility = core.settledGain;
    for (let k = 0; k < chosen.length; k++) {
      const o = chosen[k]!;
      utility += core.gain[o]!;
      for (let r = 0; r < R; r++) use[r]! += core.use[o * R + r]!;
    }
    return utility;
  }

  /**
   * The bound at these prices for the options that are kept, and what each of them costs of it.
   * @param costs filled, by option; Infinity where nothing goes together with it.
   * @returns the bound; −Infinity where some context has no option left.
   */
  costs(prices: Float64Array, kept: Uint8Array, costs: Float64Array): number {
    const { core, value, isAlone } = this;
    const { first } = core;
    this.price(prices);
    costs.fill(Number.POSITIVE_INFINITY);
    let bound = core.settledGain;
    for (let r = 0; r < prices.length; r++) bound += prices[r]! * (this.limits[r]! - core.settledUse[r]!);
    if (this.states > 0) bound += this.treeCosts(kept, costs);
    for (let k = 0; k < isAlone.length; k++) {
      if (isAlone[k] === 0) continue;
      let most = Number.NEGATIVE_INFINITY;
      for (let o = first[k]!; o < first[k + 1]!; o++) if (kept[o] === 1 && value[o]! > most) most = value[o]!;
      for (let o = first[k]!; o < first[k + 1]!; o++) if (kept[o] === 1) costs[o] = most - value[o]!;
      bound += most;
    }
    return bound;
  }

  private price(prices: Float64Array): void {
    const { gain, use } = this.core;
    const R = prices.length;
    for (let o = 0, at = 0; o < gain.length; o++) {
      let value = gain[o]!;
      for (let r = 0; r < R; r++, at++) value -= prices[r]! * use[at]!;
      this.value[o] = value;
    }
  }

  private chooseAlone(): void {
    const { first } = this.core;
    const { chosen, isAlone, value } = this;
    for (let k = 0; k < chosen.length; k++) {
      if (isAlone[k] === 0) continue;
      let best = first[k]!;
      for (let o = best + 1; o < first[k + 1]!; o++) if (value[o]! > value[best]!) best = o;
      chosen[k] = best;
    }
  }

  /** Leaves to roots. @param kept the options that are open; all when undefined. */
  private climb(kept: Uint8Array | undefined): void {
    const { first, parent, state } = this.core;
    const { value, best, below, nothing, states, isAlone } = this;
    best.fill(Number.NEGATIVE_INFINITY);
    below.fill(0);
    nothing.fill(0);
    for (let k = isAlone.length - 1; k >= 0; k--) {
      if (isAlone[k] === 1) continue;
      const at = k * states;
      let unkept = Number.NEGATIVE_INFINITY;
      for (let o = first[k]!; o < first[k + 1]!; o++) {
        if (kept?.[o] === 0) continue;
        const s = state[o]!;
        const v = value[o]!;
        if (s === NOT_KEPT) unkept = v + nothing[k]!;
        else if (s > 0) {
          const here = v + below[at + s]!;
          if (here > best[at]!) best[at] = here;
          if (here > best[at + s]!) best[at + s] = here;
        } else {
          for (let x = 0; x < states; x++) {
            const here = v + below[at + x]!;
            if (here > best[at + x]!) best[at + x] = here;
          }
        }
      }
      nothing[k] = unkept;
      for (let x = 0; x < states; x++) if (unkept > best[at + x]!) best[at + x] = unkept;
      const above = parent[k]!;
      if (above < 0) continue;
      nothing[above]! += unkept;
      for (let x = 0; x < states; x++) below[above * states + x]! += best[at + x]!;
    }
  }

  /** Roots to leaves: what is chosen in the state in which each context finds itself. */
  private descend(): void {
    const { first, parent, state, entry } = this.core;
    const { value, below, nothing, states, isAlone, chosen, entered } = this;
    for (let k = 0; k < isAlone.length; k++) {
      if (isAlone[k] === 1) continue;
      const above = parent[k]!;
      const left = above < 0 ? NOT_KEPT : state[chosen[above]!]!;
      const x = above < 0 ? entry[k]! : left === AS_FOUND ? entered[above]! : left;
      entered[k] = x;
      let most = Number.NEGATIVE_INFINITY;
      for (let o = first[k]!; o < first[k + 1]!; o++) {
        const s = state[o]!;
        if (s !== NOT_KEPT && (x === NOT_KEPT || (s > 0 && x > 0 && s !== x))) continue;
        const here = s === NOT_KEPT ? nothing[k]! : value[o]! + below[k * states + (s > 0 ? s : x)]!;
        if (here > most || most === Number.NEGATIVE_INFINITY) {
          most = here;
          chosen[k] = o;
        }
      }
    }
  }

  private treeCosts(kept: Uint8Array, costs: Float64Array): number {
    const { first, parent, state, entry } = this.core;
    const { value, best, below, nothing, states, isAlone } = this;
    const K = isAlone.length;
    this.climb(kept);
    /** The best of all that is no part of the subtree, by state in which it is entered, and where it is not kept. */
    const outside = new Float64Array(K * states).fill(Number.NEGATIVE_INFINITY);
    const outsideUnkept = new Float64Array(K).fill(Number.NEGATIVE_INFINITY);
    /** The best with the context in a state, children included. */
    const through = new Float64Array(K * states).fill(Number.NEGATIVE_INFINITY);
    const throughUnkept = new Float64Array(K).fill(Number.NEGATIVE_INFINITY);
    const treeBest = new Float64Array(K);
    let sum = 0;
    for (let k = 0; k < K; k++) {
      if (isAlone[k] === 1) continue;
      const at = k * states;
      const above = parent[k]!;
      if (above < 0) {
        outside[at + entry[k]!] = 0;
        treeBest[k] = best[at + entry[k]!]!;
        sum += treeBest[k]!;
      } else {
        treeBest[k] = treeBest[above]!;
        for (let x = 0; x < states; x++)
          if (best[at + x]! > Number.NEGATIVE_INFINITY)
            outside[at + x] = through[above * states + x]! - best[at + x]!;
        if (nothing[k]! > Number.NEGATIVE_INFINITY) outsideUnkept[k] = throughUnkept[above]! - nothing[k]!;
      }
      let anyhow = outsideUnkept[k]!;
      for (let x = 0; x < states; x++) if (outside[at + x]! > anyhow) anyhow = outside[at + x]!;
      for (let o = first[k]!; o < first[k + 1]!; o++) {
        if (kept[o] === 0) continue;
        const s = state[o]!;
        const v = value[o]!;
        let most = Number.NEGATIVE_INFINITY;
        if (s === NOT_KEPT) {
          most = anyhow + nothing[k]!;
          throughUnkept[k] = most;
        } else if (s > 0) {
          most = Math.max(outside[at]!, outside[at + s]!) + v + below[at + s]!;
          if (most > through[at + s]!) through[at + s] = most;
        } else {
          for (let x = 0; x < states; x++) {
            const here = outside[at + x]! + v + below[at + x]!;
            if (here > through[at + x]!) through[at + x] = here;
            if (here > most) most = here;
          }
        }
        costs[o] = treeBest[k]! - most;
      }
    }
    return sum;
  }
}
