import { loadSecondsOf, movingCost, storedBytesOf, utilityOf } from './choice-costs.js';
import { InfeasibleError } from './infeasible.js';
import type { Lagrangian } from './lagrangian.js';
import type { Box } from './nested-cores.js';
import { KEEP_NOTHING, type Problem } from './problem.js';
import { BytePrices } from './row-cells.js';
import { addUse, type Row } from './rows.js';
import { TreeCore } from './tree-core.js';
import { PlainTree } from './tree-plain.js';
import { splitTree } from './tree-split.js';

/** The state of a path on which nothing lossy is kept yet. */
const WHOLE_PATH = -1;
/** The state below a context that is not kept. */
const NOT_KEPT = -2;

/**
 * The Lagrangian of contexts with parents: the unit that chooses alone is the tree. One pass from the leaves up
 * computes, for every context and every state of the path above it (nothing lossy yet, or one method and
 * ratio), the best of: recompute the whole subtree, keep it whole, or keep it lossy in the path's form; one
 * pass down reads the choices off. Exact, so the bound is that of the relaxation with the prefix closure.
 */
export class TreeLagrangian implements Lagrangian {
  readonly limits: Float64Array;
  private readonly n: number;
  /** Number of distinct lossy (method, ratio). */
  private readonly states: number;
  /** Utility of recomputing the context and all below it; −Infinity where one of them must be kept. */
  private readonly subtreeRecompute: Float64Array;
  /** Sums over children: of the best in state "whole", and per lossy state, `i · states + s`. */
  private readonly belowWhole: Float64Array;
  private readonly belowLossy: Float64Array;
  private readonly stateOf: Int32Array;
  /** Does the same in a fraction of the time where nothing lossy is offered. */
  private readonly plain: PlainTree | undefined;
  /** Per tier. */
  private readonly prices: BytePrices;
  private readonly latency: Float64Array;
  private readonly secondsPerByte: Float64Array;
  private readonly tabled: boolean;
  /** Scratch: the best of a context by the lossy state of the path above it. */
  private readonly inState: Float64Array;
  /** Scratch: the tier of the last `bestTier`. */
  private tier = -1;

  constructor(
    private readonly problem: Problem,
    private readonly rows: readonly Row[],
  ) {
    const { demand, tiers, forms } = problem;
    this.limits = Float64Array.from(rows, (row) => row.limit);
    this.n = demand.contexts;
    this.states = forms.lossyNames.length;
    this.subtreeRecompute = subtreeRecompute(problem);
    this.plain = PlainTree.suits(problem) ? new PlainTree(problem, rows, this.subtreeRecompute) : undefined;
    this.belowWhole = new Float64Array(this.n);
    this.belowLossy = new Float64Array(this.n * this.states);
    this.stateOf = new Int32Array(this.n);
    this.inState = new Float64Array(this.states);
    this.prices = new BytePrices(problem, rows);
    this.latency = Float64Array.from(tiers, (tier) => tier.latencySeconds);
    this.secondsPerByte = Float64Array.from(tiers, (tier) => tier.secondsPerByte);
    this.tabled = tiers.some((tier) => tier.tabled);
    this.refuseUnkeepable();
  }

  /** Prices are finite: what cannot be chosen at no price can be chosen at none. @throws InfeasibleError */
  private refuseUnkeepable(): void {
    const { allowed, tiers } = this.problem;
    const mustKeep = (mask: number) => (mask & (1 << tiers.length)) === 0;
    if (!allowed.some(mustKeep)) return;
    const choices = new Int32Array(this.n);
    this.choose(new Float64Array(this.rows.length), new Float64Array(this.rows.length), choices);
    if (choices.some((choice, i) => choice === KEEP_NOTHING && mustKeep(allowed[i]!)))
      throw new InfeasibleError();
  }

  choose(prices: Float64Array, use: Float64Array, into?: Int32Array): number {
    if (this.plain !== undefined) return this.plain.choose(prices, use, into);
    const choices = into ?? new Int32Array(this.n);
    this.prices.set(prices);
    this.climb();
    this.descend(choices);
    use.fill(0);
    let utility = 0;
    let carry = 0;
    for (let i = 0; i < this.n; i++) {
      addUse(this.problem, this.rows, i, choices[i]!, use);
      const term = utilityOf(this.problem, i, choices[i]!) - carry;
      const next = utility + term;
      carry = next - utility - term;
      utility = next;
    }
    return utility;
  }

  /** The same in a box of prices, where PlainTree suits. */
  coreIn(box: Box, rows: readonly Row[]): TreeCore {
    return new TreeCore(this.problem, rows, splitTree(this.problem, rows, this.subtreeRecompute, box));
  }

  /** Leaves to roots: fills the sums over children. Parents come before children in the rows. */
  private climb(): void {
    const { demand, forms, curveOf } = this.problem;
    const { belowWhole, belowLossy, states, subtreeRecompute, inState } = this;
    belowWhole.fill(0);
    belowLossy.fill(0);
    for (let i = this.n - 1; i >= 0; i--) {
      const parent = demand.parents[i]!;
      const first = forms.offsets[curveOf[i]!]!;
      const end = forms.offsets[curveOf[i]! + 1]!;
      const nothing = subtreeRecompute[i]!;
      const whole = forms.lossyOf[first]! < 0 ? this.bestTier(i, first) : Number.NEGATIVE_INFINITY;
      let best = Math.max(nothing, whole + belowWhole[i]!);
      for (let s = 0; s < states; s++) inState[s] = Math.max(nothing, whole + belowLossy[i * states + s]!);
      for (let form = first; form < end; form++) {
        const s = forms.lossyOf[form]!;
        if (s < 0) continue;
        const here = this.bestTier(i, form) + belowLossy[i * states + s]!;
        if (here > best) best = here;
        if (here > inState[s]!) inState[s] = here;
      }
      if (parent < 0) continue;
      for (let s = 0; s < states; s++) belowLossy[parent * states + s]! += inState[s]!;
      belowWhole[parent]! += best;
    }
  }

  /** Roots to leaves: reads off what each context chose in the state it finds itself in. */
  private descend(choices: Int32Array): void {
    const { demand, forms, curveOf } = this.problem;
    const { belowWhole, belowLossy, states, subtreeRecompute, stateOf } = this;
    const count = forms.storedBytes.length;
    for (let i = 0; i < this.n; i++) {
      const parent = demand.parents[i]!;
      const state = parent < 0 ? WHOLE_PATH : stateOf[parent]!;
      choices[i] = KEEP_NOTHING;
      stateOf[i] = NOT_KEPT;
      if (state === NOT_KEPT) continue;
      const first = forms.offsets[curveOf[i]!]!;
      const end = forms.offsets[curveOf[i]! + 1]!;
      let best = subtreeRecompute[i]!;
      if (forms.lossyOf[first]! < 0) {
        const whole =
          this.bestTier(i, first) + (state === WHOLE_PATH ? belowWhole[i]! : belowLossy[i * states + state]!);
        if (whole > best) {
          best = whole;
          choices[i] = this.tier * count + first;
          stateOf[i] = state;
        }
      }
      for (let form = first; form < end; form++) {
        const s = forms.lossyOf[form]!;
        if (s < 0 || (state !== WHOLE_PATH && s !== state)) continue;
        const here = this.bestTier(i, form) + belowLossy[i * states + s]!;
        if (here > best) {
          best = here;
          choices[i] = this.tier * count + form;
          stateOf[i] = s;
        }
      }
    }
  }

  /** The best priced value of keeping context i in a form; remembers the tier. */
  private bestTier(i: number, form: number): number {
    const { demand, forms, allowed, alpha, tiers, budgets } = this.problem;
    const count = forms.storedBytes.length;
    const f = demand.accesses[i]!;
    const share = demand.requestShare[i]!;
    const bytes = storedBytesOf(this.problem, i, form);
    const worth =
      f *
      (alpha * share * forms.quality[form]! - forms.decompressSecondsPerByte[form]! * demand.fullBytes[i]!);
    const mask = allowed[i]!;
    let best = Number.NEGATIVE_INFINITY;
    for (let t = 0; t < tiers.length; t++) {
      if ((mask & (1 << t)) === 0) continue;
      const seconds = this.tabled
        ? loadSecondsOf(this.problem, i, t, form) -
          forms.decompressSecondsPerByte[form]! * demand.fullBytes[i]!
        : share * this.latency[t]! + bytes * this.secondsPerByte[t]!;
      const choice = t * count + form;
      const perByte = this.prices.of(i, t, choice) + (budgets === undefined ? 0 : budgets.charge[t]!);
      const value = worth - f * seconds - perByte * bytes - movingCost(this.problem, i, choice);
      if (value > best) {
        best = value;
        this.tier = t;
      }
    }
    return best;
  }
}

/** Utility of recomputing each context with everything below it. */
function subtreeRecompute(problem: Problem): Float64Array {
  const { demand, allowed, tiers } = problem;
  const sum = new Float64Array(demand.contexts);
  for (let i = demand.contexts - 1; i >= 0; i--) {
    sum[i]! +=
      allowed[i]! & (1 << tiers.length) ? utilityOf(problem, i, KEEP_NOTHING) : Number.NEGATIVE_INFINITY;
    const parent = demand.parents[i]!;
    if (parent >= 0) sum[parent]! += sum[i]!;
  }
  return sum;
}
