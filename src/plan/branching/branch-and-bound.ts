import type { SearchResult } from '../core.js';
import { minimizeBound } from '../dual.js';
import { MinHeap } from '../heap.js';
import type { Problem } from '../problem.js';
import type { Row } from '../rows.js';
import { branching, kindsOf } from './branching.js';
import { CoreLagrangian } from './core-lagrangian.js';
import { narrow } from './narrowing.js';
import { GONE, type OpenCore, SETTLED, wholeChoices, wholeCore } from './open-core.js';
import { StateSearch } from './state-search.js';

export interface SearchLimits {
  /** What is no more than this better is not looked for: rounding, in utility. */
  readonly rounding: number;
  /** Numbers looked at, roughly, before the search ends with what it has: some ten million a second. */
  readonly work: number;
  /**
   * Where the incumbent itself does not keep every limit: a gain over it that every plan exceeds. The first plan then
   * ends the search; without one, a gap of no more than `rounding` says that there is none.
   */
  readonly below?: number;
}

/** An answer of a core's contexts at some prices. */
interface Column {
  readonly prices: Float64Array;
  readonly utility: number;
  readonly use: Float64Array;
  /** The option of each context. */
  readonly options: Int32Array;
  /** Its share of the best mix. */
  readonly weight: number;
}

/** A part of all plans that may still hold a better one. */
interface Part {
  readonly core: OpenCore;
  /** No plan in it gains more over the incumbent that the search began with. */
  readonly bound: number;
  readonly prices: Float64Array;
  readonly columns: readonly Column[];
}

/** Columns handed on to the parts of a part, the latest and those in the mix. */
const COLUMNS = 24;
/** A part's bound need come no nearer to what its best mix reaches than this share of its distance from the best plan. */
const TOLERANCE = 0.01;
/** Prices are found again when narrowing leaves less than this share of the options. */
const NARROWED = 0.9;

/** States that a search by states keeps, prices beside the part's own at which it bounds them, contexts it begins with. */
const WIDTH = 1000;
const PRICES = 6;
const LEAST_REACH = 16;

/** What looking at a part takes, however small it is. */
const FIXED_WORK = 500;

/**
 * Branch and bound around the Lagrangian optimum, with or without parents. Every part of the plans has its own prices
 * and with them its own bound, a plan's worth tighter than that of the whole: once it is decided where the giants lie,
 * what fits beside them is known, and no fraction of what does not fit is counted. Options that cost more than is left
 * to be gained are taken out on the way, and most of the contexts are soon decided.
 * @param prices of the rows, near the optimum. @param incumbent choices of the best plan known.
 */
export function branchAndBound(
  problem: Problem,
  rows: readonly Row[],
  prices: Float64Array,
  incumbent: Int32Array,
  limits: SearchLimits,
): SearchResult {
  return new Search(problem, rows, incumbent, limits).run(
    wholeCore(problem, rows, prices, incumbent, limits.below === undefined),
    prices,
  );
}

class Search {
  private readonly limits: Float64Array;
  private readonly lossyForms: number;
  private readonly kinds: Int32Array;
  /** Gain of the best plan known over the incumbent. */
  private gained: number;
  private choices: Int32Array | undefined;
  /** No plan in what was closed gains more. */
  private closed: number;
  private work = 0;
  private readonly states: StateSearch;
  /** Contexts up to which states are expected not to become too many. */
  private reach = LEAST_REACH;

  constructor(
    problem: Problem,
    rows: readonly Row[],
    private readonly incumbent: Int32Array,
    private readonly most: SearchLimits,
  ) {
    this.gained = most.below ?? 0;
    this.closed = this.gained;
    this.limits = Float64Array.from(rows, (row) => row.limit);
    this.lossyForms = problem.forms.lossyNames.length;
    this.kinds = kindsOf(problem, Int32Array.from(incumbent.keys()));
    this.states = new StateSearch(this.limits, WIDTH);
  }

  run(whole: OpenCore, prices: Float64Array): SearchResult {
    const open = new Map<number, Part>();
    const order = new MinHeap();
    let made = 0;
    const put = (part: Part) => {
      open.set(made, part);
      order.push(-part.bound, made++);
    };
    const all = this.narrow(
      { core: whole, prices, columns: [] },
      new Uint8Array(whole.choice.length).fill(1),
    );
    if (all !== undefined) put(all);
    let unproved = Number.NEGATIVE_INFINITY;
    while (order.size > 0) {
      const next = order.pop();
      let part: Part | undefined = open.get(next)!;
      open.delete(next);
      if (this.isClosed(part.bound)) continue;
      // Down along the better halves until one holds nothing better: plans are found at the bottom.
      while (part !== undefined && !this.isOver()) {
        const [better, other]: Part[] = this.split(part);
        if (other !== undefined) put(other);
        part = better;
      }
      if (part === undefined) continue;
      unproved = Math.max(part.bound, -order.least);
      break;
    }
    const gap = Math.max(0, this.closed - this.gained, unproved - this.gained);
    return { ...(this.choices && { choices: this.choices }), gap };
  }

  private isOver(): boolean {
    return this.work >= this.most.work || (this.most.below !== undefined && this.choices !== undefined);
  }

  /** Bounds a part and cuts it in two, the more promising first; none or one where nothing better can be in both. */
  private split(whole: Part): Part[] {
    let part = whole;
    for (;;) {
      const bounded = this.bounded(part);
      if (this.isClosed(bounded.bound)) return [];
      const before = part.core.choice.length;
      const left = this.narrow(bounded, new Uint8Array(before).fill(1));
      if (left === undefined) return [];
      part = left;
      if (part.core.choice.length >= NARROWED * before) break;
    }
    if (this.isSearched(part)) return [];
    const { core, prices, columns } = part;
    const weight = new Float64Array(core.choice.length);
    // Some columns of the mix went with the options that were taken out.
    const mixed = columns.reduce((sum, column) => sum + column.weight, 0);
    for (const column of columns) {
      if (column.weight === 0) continue;
      for (const o of column.options) weight[o]! += column.weight / mixed;
    }
    const parts = branching(core, prices, weight, this.kinds)?.map((kept) => this.narrow(part, kept));
    // Without a cut all is decided, and what that gives was looked at.
    if (parts === undefined) return [];
    return parts.filter((half) => half !== undefined).sort((a, b) => b.bound - a.bound);
  }

  /** Whether all plans of a part could be judged, state by state. It is tried on as many contexts as it went well with. */
  private isSearched({ core, prices, columns }: Part): boolean {
    const K = core.context.length;
    if (K > this.reach || core.parent.some((parent) => parent >= 0)) return false;
    const others = columns.filter(({ weight }) => weight > 0).map((column) => column.prices);
    const found = this.states.run(
      core,
      [prices, ...others.slice(0, PRICES)],
      this.gained + this.most.rounding,
    );
    this.work += found.work;
    this.closed = Math.max(this.closed, found.forgone);
    if (found.options !== undefined) {
      this.gained = found.gained;
      this.choices = wholeChoices(this.incumbent, core, found.options);
    }
    this.reach = found.complete ? Math.max(this.reach, K + 1) : Math.max(LEAST_REACH, K - 1);
    return found.complete;
  }

  /** The part at its own best prices, with the mix that they go with. */
  private bounded(part: Part): Part {
    const { core, prices } = part;
    const lagrangian = new CoreLagrangian(core, this.limits, this.lossyForms);
    const columns = [...part.columns];
    const choose = (at: Float64Array, use: Float64Array) => {
      const utility = lagrangian.choose(at, use);
      const options = lagrangian.chosen.slice();
      columns.push({ prices: at.slice(), utility, use: use.slice(), options, weight: 0 });
      this.work += core.choice.length + core.context.length;
      this.look(core, utility, use, options);
      return utility;
    };
    const optimum = minimizeBound(
      { limits: this.limits, choose },
      {
        start: prices,
        answers: part.columns,
        tolerance: TOLERANCE,
        baseline: this.gained,
        // A mix that reaches no more than this is as good as none.
        floor: this.gained - 2 * Math.max(this.most.rounding, part.bound - this.gained),
        enough: this.gained + this.most.rounding,
      },
    );
    const weights = new Map(optimum.active.map(({ answer, weight }) => [answer, weight]));
    return {
      core,
      bound: Math.min(part.bound, optimum.bound),
      prices: optimum.prices,
      columns: columns
        .map((column, k) => ({ ...column, weight: weights.get(k) ?? 0 }))
        .filter(({ weight }, k) => weight > 0 || k >= columns.length - COLUMNS),
    };
  }

  /** What is left of a part when only some options are kept; undefined where nothing better is. */
  private narrow({ core, prices, columns }: Omit<Part, 'bound'>, kept: Uint8Array): Part | undefined {
    this.work += 4 * kept.length + (4 + columns.length) * core.context.length + FIXED_WORK;
    const enough = this.gained + this.most.rounding;
    const left = narrow(core, this.limits, this.lossyForms, prices, kept, enough);
    if (left === undefined || this.isClosed(left.bound)) return undefined;
    this.closed = Math.max(this.closed, left.forgone);
    return {
      core: left.core,
      bound: left.bound,
      prices,
      columns: columns.flatMap((column) => carried(column, left.moved, left.core)),
    };
  }

  /** An answer that keeps every limit is a plan. */
  private look(core: OpenCore, utility: number, use: Float64Array, options: Int32Array): void {
    if (utility <= this.gained || use.some((amount, r) => amount > this.limits[r]!)) return;
    this.gained = utility;
    this.choices = wholeChoices(this.incumbent, core, options);
  }

  private isClosed(bound: number): boolean {
    if (bound > this.gained + this.most.rounding) return false;
    this.closed = Math.max(this.closed, bound);
    return true;
  }
}

/** A column in a narrowed core; none where one of its options is gone. */
function carried(column: Column, moved: Int32Array, core: OpenCore): Column[] {
  const options = new Int32Array(core.context.length);
  let at = 0;
  for (const o of column.options) {
    const now = moved[o]!;
    if (now === GONE) return [];
    if (now !== SETTLED) options[at++] = now;
  }
  return [{ ...column, options }];
}
