import type { Assignment } from './assignment.js';

/** Deviations looked at, the least loss first. */
const SINGLES = 3000;
/** Pairs of them that are matched with each other. */
const PAIRS = 40_000;
/** Cells of the grid along each row. */
const CELLS = 96;
/**
 * Cells and matches looked at before the search ends with what it has: many equal pairs would all fall into one cell,
 * and where room is worth little the cells to look at are many.
 */
const MOST_WORK = 10_000_000;
const NONE = -1;

/** Single changes of a plan, in columns. */
interface Deviations {
  readonly length: number;
  readonly context: Int32Array;
  readonly choice: Int32Array;
  /** What the change loses at the prices. */
  readonly loss: Float64Array;
  /** Change of use, `deviation · rows + r`. */
  readonly use: Float64Array;
}

/** Pairs of deviations; one or both may be missing. */
interface Pairs {
  readonly length: number;
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly loss: Float64Array;
  /** Change of use, `pair · rows + r`. */
  readonly use: Float64Array;
}

/**
 * Brings a plan near the Lagrangian optimum, which may overstep limits, to just inside all of them by up to four
 * changes of least loss: pairs of changes are laid on a grid by what they do to the rows, and each pair is
 * matched with the pairs that make up for the rest. Forty thousand pairs stand for a thousand million sets of four.
 * @param lost what the plan's choices lose against each context's best at the prices.
 * @param gap what the plan to beat loses against the bound.
 * @param candidates the contexts that may change; all without it.
 * @returns what the changed plan loses against the bound; `gap`, and the plan as it was, where it cannot be beaten.
 */
export function exchange(
  assignment: Assignment,
  prices: Float64Array,
  lost: number,
  gap: number,
  candidates?: Int32Array,
): number {
  const R = prices.length;
  const deviations = nearDeviations(assignment, prices, gap - lost, candidates);
  const pairs = leastPairs(deviations, R, gap - lost);
  const room = Float64Array.from(assignment.rows, (row, r) => row.limit - assignment.use[r]!);
  const grid = new Grid(pairs, prices);
  let best = gap;
  let found: number[] = [];
  const target = new Float64Array(R);
  // Going back to a context's best choice wins instead of losing: the least pair may be below zero.
  const least = pairs.loss[0]!;
  for (let p = 0; p < pairs.length && lost + pairs.loss[p]! + least < best; p++) {
    for (let r = 0; r < R; r++) target[r] = room[r]! - pairs.use[p * R + r]!;
    grid.visit(target, best - lost - pairs.loss[p]! - least, best - lost - pairs.loss[p]!, (q) => {
      let total = lost + pairs.loss[p]! + pairs.loss[q]!;
      if (total >= best) return;
      for (let r = 0; r < R; r++) {
        const slack = target[r]! - pairs.use[q * R + r]!;
        if (slack < 0) return;
        total += prices[r]! * slack;
      }
      if (total >= best) return;
      const changes = [pairs.first[p]!, pairs.second[p]!, pairs.first[q]!, pairs.second[q]!].filter(
        (d) => d !== NONE,
      );
      if (new Set(changes.map((d) => deviations.context[d])).size < changes.length) return;
      if (assignment.problem.hasParents && !applyAll(assignment, deviations, changes, true)) return;
      best = total;
      found = changes;
    });
  }
  if (best < gap) applyAll(assignment, deviations, found, false);
  return best;
}

/** The changes of least loss that move use at all. */
function nearDeviations(
  assignment: Assignment,
  prices: Float64Array,
  most: number,
  candidates: Int32Array | undefined,
): Deviations {
  const R = prices.length;
  const change = new Float64Array(R);
  const found: { context: number; choice: number; loss: number; use: Float64Array }[] = [];
  const look = (i: number) => {
    assignment.forAlternatives(i, (choice) => {
      assignment.changeOfUse(i, choice, change);
      if (change.every((amount) => amount === 0)) return;
      let loss = -assignment.gain(i, choice);
      for (let r = 0; r < R; r++) loss += prices[r]! * change[r]!;
      if (loss < most) found.push({ context: i, choice, loss, use: change.slice() });
    });
  };
  if (candidates === undefined) for (let i = 0; i < assignment.choices.length; i++) look(i);
  else for (const i of candidates) look(i);
  found.sort((a, b) => a.loss - b.loss || a.context - b.context || a.choice - b.choice);
  if (found.length > SINGLES) found.length = SINGLES;
  const use = new Float64Array(R * found.length);
  found.forEach((entry, d) => {
    use.set(entry.use, d * R);
  });
  return {
    length: found.length,
    context: Int32Array.from(found, (entry) => entry.context),
    choice: Int32Array.from(found, (entry) => entry.choice),
    loss: Float64Array.from(found, (entry) => entry.loss),
    use,
  };
}

/** The empty pair, singles and pairs, by rising loss, cut where there would be too many. */
function leastPairs({ length, loss, use }: Deviations, R: number, most: number): Pairs {
  let ceiling = most;
  const sum = (a: number, b: number) => (a === NONE ? 0 : loss[a]!) + (b === NONE ? 0 : loss[b]!);
  const count = (below: number): number => {
    let pairs = 1;
    for (let a = 0; a < length && loss[a]! < below; a++) {
      pairs++;
      for (let b = a + 1; b < length && loss[a]! + loss[b]! < below; b++) pairs++;
      if (pairs > PAIRS) return pairs;
    }
    return pairs;
  };
  if (count(ceiling) > PAIRS) {
    let low = 2 * Math.min(0, loss[0] ?? 0);
    for (let step = 0; step < 40; step++) {
      const middle = (low + ceiling) / 2;
      if (count(middle) > PAIRS) ceiling = middle;
      else low = middle;
    }
    ceiling = low;
  }
  const list: [number, number][] = [[NONE, NONE]];
  for (let a = 0; a < length && loss[a]! < ceiling; a++) {
    list.push([a, NONE]);
    for (let b = a + 1; b < length && loss[a]! + loss[b]! < ceiling; b++) list.push([a, b]);
  }
  list.sort((x, y) => sum(...x) - sum(...y) || x[0] - y[0] || x[1] - y[1]);
  const moved = new Float64Array(R * list.length);
  list.forEach(([a, b], p) => {
    for (let r = 0; r < R; r++)
      moved[p * R + r] = (a === NONE ? 0 : use[a * R + r]!) + (b === NONE ? 0 : use[b * R + r]!);
  });
  return {
    length: list.length,
    first: Int32Array.from(list, ([a]) => a),
    second: Int32Array.from(list, ([, b]) => b),
    loss: Float64Array.from(list, ([a, b]) => sum(a, b)),
    use: moved,
  };
}

/** Pairs by cell of the two highest-priced rows, the least loss first within a cell. */
class Grid {
  private readonly cells = new Map<number, number[]>();
  private readonly rows: readonly number[];
  private readonly low: readonly number[];
  private readonly side: readonly number[];
  private work = 0;

  constructor(
    private readonly pairs: Pairs,
    private readonly prices: Float64Array,
  ) {
    const R = prices.length;
    const spread = (r: number) => {
      let low = Number.POSITIVE_INFINITY;
      let high = Number.NEGATIVE_INFINITY;
      for (let p = 0; p < pairs.length; p++) {
        low = Math.min(low, pairs.use[p * R + r]!);
        high = Math.max(high, pairs.use[p * R + r]!);
      }
      return { r, low, high, priced: prices[r]! * (high - low) };
    };
    const chosen = Array.from(prices, (_, r) => spread(r))
      .sort((a, b) => b.priced - a.priced)
      .slice(0, 2)
      .filter((row) => row.high > row.low);
    this.rows = chosen.map((row) => row.r);
    this.low = chosen.map((row) => row.low);
    this.side = chosen.map((row) => (row.high - row.low) / CELLS);
    for (let p = 0; p < pairs.length; p++) {
      const key = this.rows.reduce((sum, r, k) => sum * (CELLS + 1) + this.cell(k, pairs.use[p * R + r]!), 0);
      const cell = this.cells.get(key);
      if (cell === undefined) this.cells.set(key, [p]);
      else cell.push(p);
    }
  }

  private cell(k: number, amount: number): number {
    return Math.max(0, Math.min(CELLS, Math.floor((amount - this.low[k]!) / this.side[k]!)));
  }

  /** Visits the pairs that lose less than `most`, use at most `target` and leave at most `room` of it, at the prices. */
  visit(target: Float64Array, room: number, most: number, see: (pair: number) => void): void {
    const from: number[] = [];
    const to: number[] = [];
    for (let k = 0; k < this.rows.length; k++) {
      const r = this.rows[k]!;
      if (target[r]! < this.low[k]!) return;
      const price = this.prices[r]!;
      from.push(price === 0 ? 0 : this.cell(k, target[r]! - room / price));
      to.push(this.cell(k, target[r]!));
    }
    for (let x = from[0] ?? 0; x <= (to[0] ?? 0); x++) {
      for (let y = from[1] ?? 0; y <= (to[1] ?? 0); y++) {
        if (++this.work > MOST_WORK) return;
        const cell = this.cells.get(this.rows.length === 2 ? x * (CELLS + 1) + y : x);
        if (cell === undefined) continue;
        for (const pair of cell) {
          if (this.pairs.loss[pair]! >= most || ++this.work > MOST_WORK) break;
          see(pair);
        }
      }
    }
  }
}

/**
 * Applies changes one after the other.
 * @param undo take all back in the end.
 * @returns whether each was open when its turn came; if not, all are taken back.
 */
function applyAll(
  assignment: Assignment,
  { context, choice }: Deviations,
  which: readonly number[],
  undo: boolean,
): boolean {
  const before = which.map((d) => assignment.choices[context[d]!]!);
  let applied = 0;
  for (const d of which) {
    let open = false;
    assignment.forAlternatives(context[d]!, (other) => {
      if (other === choice[d]) open = true;
    });
    if (!open) break;
    assignment.set(context[d]!, choice[d]!);
    applied++;
  }
  const whole = applied === which.length;
  if (undo || !whole) while (applied-- > 0) assignment.set(context[which[applied]!]!, before[applied]!);
  return whole;
}
