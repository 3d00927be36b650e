import { PricedOptions } from './priced-options.js';
import type { Problem } from './problem.js';
import { addUse, type Row, totalUse } from './rows.js';

/** States expanded, per unit of width, before the search ends with what it has. */
const WORK_PER_WIDTH = 500;

/** With so many rows at most states are compared with each other. */
export const COMPARED_ROWS = 2;

/** What a search for better plans found. */
export interface SearchResult {
  /** Better choices than the incumbent's, where found. */
  readonly choices?: Int32Array;
  /** No plan is better than the best one known, found or incumbent, by more than this; 0 where that is proved optimal. */
  readonly gap: number;
}

/** A context of the core: its other choices near the Lagrangian optimum. */
interface Item {
  readonly context: number;
  readonly choices: readonly number[];
  /** What each loses against the context's best, at the prices. */
  readonly losses: readonly number[];
  /** Change of use, `alternative · rows + r`. */
  readonly changes: Float64Array;
  /** Least loss per priced unit of change: the order of the core. */
  readonly rate: number;
}

/**
 * Exact search around the Lagrangian optimum of contexts without parents. With prices λ every plan's utility is
 * bound − Σ losses − Σ λ·slack, so only choices that lose less than the incumbent's gap can be in a better
 * plan: the core, usually a few dozen contexts. It is searched by dynamic programming over states (use, loss),
 * the most promising contexts first, states pruned by what they must still lose and by dominance. More than
 * `width` states, or than `4 · width` contexts, are cut to the best; the best promise among those cut off then
 * limits what is proved. (The
 * idea is the expanding core of Pisinger's minimal algorithm for the multiple-choice knapsack, 1995.)
 * @param start choices near the Lagrangian optimum, ties already split.
 * @param incumbent choices of the best plan known.
 */
export function searchCore(
  problem: Problem,
  rows: readonly Row[],
  prices: Float64Array,
  start: Int32Array,
  incumbent: Int32Array,
  width: number,
): SearchResult {
  const { base, gap, items } = openCore(problem, rows, prices, start, incumbent);
  const search = new CoreSearch(problem, rows, prices, base, items.slice(0, 4 * width), gap, width);
  for (const item of items.slice(4 * width))
    search.leastDropped = Math.min(search.leastDropped, Math.min(...item.losses));
  search.run();
  const improved = search.best();
  return {
    ...(improved === undefined ? {} : { choices: improved }),
    gap: Math.max(0, search.gap - search.leastDropped),
  };
}

/**
 * The Lagrangian optimum at the prices, what the incumbent loses against its bound, and every choice that loses less
 * than that. The gap is a sum of losses and of priced room: the difference of two large utilities would have lost
 * its digits where alpha is huge.
 */
function openCore(
  problem: Problem,
  rows: readonly Row[],
  prices: Float64Array,
  start: Int32Array,
  incumbent: Int32Array,
) {
  const n = problem.demand.contexts;
  const R = rows.length;
  const options = new PricedOptions(problem, rows);
  options.set(prices);
  const base = new Int32Array(n);
  const bestValue = new Float64Array(n);
  const used = totalUse(problem, rows, incumbent);
  let gap = rows.reduce((sum, row, r) => sum + prices[r]! * Math.max(0, row.limit - used[r]!), 0);
  for (let i = 0; i < n; i++) {
    let best = Number.NEGATIVE_INFINITY;
    options.forEach(i, (choice) => {
      const value = options.value(i, choice);
      if (value > best) {
        best = value;
        base[i] = choice;
      }
    });
    bestValue[i] = best;
    gap += Math.max(0, best - options.value(i, incumbent[i]!));
  }
  const tie = gap * 1e-9;
  const items: Item[] = [];
  const change = new Float64Array(R);
  for (let i = 0; i < n; i++) {
    if (bestValue[i]! - options.value(i, start[i]!) <= tie) base[i] = start[i]!;
    const near: { choice: number; loss: number; change: Float64Array }[] = [];
    options.forEach(i, (choice) => {
      const loss = Math.max(0, bestValue[i]! - options.value(i, choice));
      if (choice === base[i] || loss >= gap) return;
      change.fill(0);
      addUse(problem, rows, i, base[i]!, change, -1);
      addUse(problem, rows, i, choice, change);
      // What neither frees nor fills room only loses.
      if (change.some((amount) => amount !== 0)) near.push({ choice, loss, change: change.slice() });
    });
    if (near.length === 0) continue;
    const changes = new Float64Array(near.length * R);
    let rate = Number.POSITIVE_INFINITY;
    near.forEach(({ loss, change: amounts }, a) => {
      changes.set(amounts, a * R);
      let priced = 0;
      for (let r = 0; r < R; r++) priced += prices[r]! * Math.abs(amounts[r]!);
      rate = Math.min(rate, loss === 0 ? 0 : loss / priced);
    });
    items.push({
      context: i,
      choices: near.map((entry) => entry.choice),
      losses: near.map((entry) => entry.loss),
      changes,
      rate,
    });
  }
  items.sort((a, b) => a.rate - b.rate || a.context - b.context);
  return { base, gap, items };
}

/** States in columns: `use[s · rows + r]`, loss, and the deviation that led there. */
interface States {
  length: number;
  use: Float64Array;
  loss: Float64Array;
  trail: Int32Array;
}

class CoreSearch {
  /** Distance from the bound of the best plan found or known. */
  gap: number;
  /** The best promise among the states that were cut off. */
  leastDropped = Number.POSITIVE_INFINITY;
  private readonly R: number;
  /** From item k on: least loss per unit of relief of each row, and per priced unit of room filled. */
  private readonly reliefRate: Float64Array[];
  private readonly fillRate: Float64Array;
  /** Deviations made: the state's previous one, its item and alternative. */
  private readonly previous: number[] = [-1];
  private readonly item: number[] = [-1];
  private readonly alternative: number[] = [-1];
  private bestTrail = -1;

  constructor(
    private readonly problem: Problem,
    private readonly rows: readonly Row[],
    private readonly prices: Float64Array,
    private readonly base: Int32Array,
    private readonly items: readonly Item[],
    gap: number,
    private readonly width: number,
  ) {
    this.gap = gap;
    this.R = rows.length;
    this.reliefRate = rows.map(() => new Float64Array(items.length + 1).fill(Number.POSITIVE_INFINITY));
    this.fillRate = new Float64Array(items.length + 1).fill(Number.POSITIVE_INFINITY);
    for (let k = items.length - 1; k >= 0; k--) this.addRates(k);
  }

  run(): void {
    const { R, rows, items, base, problem } = this;
    const use = new Float64Array(R);
    for (let i = 0; i < base.length; i++) addUse(problem, rows, i, base[i]!, use);
    let states: States = { length: 1, use, loss: new Float64Array(1), trail: new Int32Array(1) };
    this.judge(states, 0);
    let work = 0;
    for (let k = 0; k < items.length && states.length > 0; k++) {
      work += states.length * (1 + items[k]!.losses.length);
      if (work > this.width * WORK_PER_WIDTH) {
        for (let s = 0; s < states.length; s++)
          this.leastDropped = Math.min(
            this.leastDropped,
            this.promise(states.use, s * R, states.loss[s]!, k),
          );
        return;
      }
      states = this.expand(states, k);
    }
  }

  /** The best plan's choices; undefined where the incumbent was not beaten. */
  best(): Int32Array | undefined {
    if (this.bestTrail < 0) return undefined;
    const choices = this.base.slice();
    for (let at = this.bestTrail; this.item[at]! >= 0; at = this.previous[at]!) {
      const item = this.items[this.item[at]!]!;
      choices[item.context] = item.choices[this.alternative[at]!]!;
    }
    return choices;
  }

  private addRates(k: number): void {
    const { R, prices } = this;
    const { losses, changes } = this.items[k]!;
    let fill = this.fillRate[k + 1]!;
    for (let r = 0; r < R; r++) this.reliefRate[r]![k] = this.reliefRate[r]![k + 1]!;
    for (let a = 0; a < losses.length; a++) {
      let filled = 0;
      for (let r = 0; r < R; r++) {
        const change = changes[a * R + r]!;
        if (change < 0) this.reliefRate[r]![k] = Math.min(this.reliefRate[r]![k]!, losses[a]! / -change);
        else filled += prices[r]! * change;
      }
      if (filled > 0) fill = Math.min(fill, losses[a]! / filled);
    }
    this.fillRate[k] = fill;
  }

  /** What a state loses at least, when items from k on may still deviate; its true gap where it is feasible now. */
  private promise(use: Float64Array, at: number, loss: number, k: number): number {
    const { R, rows, prices } = this;
    let room = 0;
    let relief = 0;
    for (let r = 0; r < R; r++) {
      const slack = rows[r]!.limit - use[at + r]!;
      if (slack >= 0) room += prices[r]! * slack;
      else relief = Math.max(relief, -slack * this.reliefRate[r]![k]!);
    }
    return loss + Math.max(room * Math.min(1, this.fillRate[k]!), relief);
  }

  private judge(states: States, s: number): void {
    const { R, rows, prices } = this;
    let gap = states.loss[s]!;
    for (let r = 0; r < R; r++) {
      const slack = rows[r]!.limit - states.use[s * R + r]!;
      if (slack < 0) return;
      gap += prices[r]! * slack;
    }
    if (gap < this.gap) {
      this.gap = gap;
      this.bestTrail = states.trail[s]!;
    }
  }

  /** Every state as it is and with each alternative of item k, pruned. */
  private expand(states: States, k: number): States {
    const { R } = this;
    const { losses, changes } = this.items[k]!;
    const most = states.length * (1 + losses.length);
    const next: States = {
      length: 0,
      use: new Float64Array(most * R),
      loss: new Float64Array(most),
      trail: new Int32Array(most),
    };
    const promises = new Float64Array(most);
    for (let s = 0; s < states.length; s++) {
      for (let a = -1; a < losses.length; a++) {
        const loss = states.loss[s]! + (a < 0 ? 0 : losses[a]!);
        if (loss >= this.gap) continue;
        const at = next.length * R;
        for (let r = 0; r < R; r++)
          next.use[at + r] = states.use[s * R + r]! + (a < 0 ? 0 : changes[a * R + r]!);
        let noted = a < 0;
        if (a >= 0) {
          next.loss[next.length] = loss;
          next.trail[next.length] = this.previous.length;
          const before = this.gap;
          this.judge(next, next.length);
          if (this.gap < before) {
            this.extend(states.trail[s]!, k, a);
            noted = true;
          }
        }
        const promise = this.promise(next.use, at, loss, k + 1);
        if (promise >= this.gap) continue;
        if (!noted) this.extend(states.trail[s]!, k, a);
        next.loss[next.length] = loss;
        next.trail[next.length] = a < 0 ? states.trail[s]! : this.previous.length - 1;
        promises[next.length] = promise;
        next.length++;
      }
    }
    return this.cut(next, promises);
  }

  private extend(previous: number, item: number, alternative: number): void {
    this.previous.push(previous);
    this.item.push(item);
    this.alternative.push(alternative);
  }

  /** Drops states that others dominate or whose promise is spent, and all but the `width` most promising. */
  private cut(states: States, promises: Float64Array): States {
    const { R } = this;
    let order: number[] = [];
    for (let s = 0; s < states.length; s++) if (promises[s]! < this.gap) order.push(s);
    if (R <= COMPARED_ROWS) order = this.undominated(states, order);
    if (order.length > this.width) {
      order.sort((a, b) => promises[a]! - promises[b]! || a - b);
      this.leastDropped = Math.min(this.leastDropped, promises[order[this.width]!]!);
      order.length = this.width;
    }
    const kept: States = {
      length: order.length,
      use: new Float64Array(order.length * R),
      loss: new Float64Array(order.length),
      trail: new Int32Array(order.length),
    };
    order.forEach((s, at) => {
      for (let r = 0; r < R; r++) kept.use[at * R + r] = states.use[s * R + r]!;
      kept.loss[at] = states.loss[s]!;
      kept.trail[at] = states.trail[s]!;
    });
    return kept;
  }

  /**
   * With one or two rows: keeps a state only if none that uses no more of either reaches as much utility. States
   * come by use of the first row; a Fenwick tree over the ranks of the second holds the most utility so far.
   */
  private undominated(states: States, order: number[]): number[] {
    const { R, prices } = this;
    const { use, loss } = states;
    const utility = (s: number): number => {
      let sum = -loss[s]!;
      for (let r = 0; r < R; r++) sum += prices[r]! * use[s * R + r]!;
      return sum;
    };
    const second = (s: number) => (R === 1 ? 0 : use[s * R + 1]!);
    const ranks = new Map<number, number>();
    [...new Set(order.map(second))]
      .sort((a, b) => a - b)
      .forEach((value, at) => {
        ranks.set(value, at + 1);
      });
    const most = new Float64Array(ranks.size + 1).fill(Number.NEGATIVE_INFINITY);
    order.sort((a, b) => use[a * R]! - use[b * R]! || second(a) - second(b) || loss[a]! - loss[b]! || a - b);
    return order.filter((s) => {
      const mine = utility(s);
      const rank = ranks.get(second(s))!;
      for (let at = rank; at > 0; at -= at & -at) if (most[at]! >= mine) return false;
      for (let at = rank; at < most.length; at += at & -at) if (mine > most[at]!) most[at] = mine;
      return true;
    });
  }
}
