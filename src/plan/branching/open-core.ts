import { utilityOf } from '../choice-costs.js';
import { PricedOptions } from '../priced-options.js';
import { KEEP_NOTHING, type Problem } from '../problem.js';
import { addUse, type Row, totalUse } from '../rows.js';

/** What an option leaves of the path: nothing kept from here on, or the state it was found in. Lossy forms are 1 and up. */
export const NOT_KEPT = -1;
export const AS_FOUND = 0;

/**
 * The contexts that a search has still to decide on, parents before children, with the options that are left to
 * each. What is decided already is in the sums. Option o of the k-th context: `first[k] ≤ o < first[k + 1]`.
 */
export interface OpenCore {
  readonly context: Int32Array;
  /** Position of the parent, or −1 where the state that the path comes in is settled: that of `entry`. */
  readonly parent: Int32Array;
  readonly entry: Int32Array;
  readonly first: Int32Array;
  readonly choice: Int32Array;
  /** NOT_KEPT, AS_FOUND, or 1 + the lossy form that the option binds its path to. */
  readonly state: Int32Array;
  /** Utility gained over the choice that the context had in the beginning. */
  readonly gain: Float64Array;
  /** What the option uses, `option · rows + r`. */
  readonly use: Float64Array;
  /** The sums of all other contexts. */
  readonly settledGain: number;
  readonly settledUse: Float64Array;
  readonly settled: Settled | undefined;
}

/** Choices that are decided, the latest first. */
export interface Settled {
  readonly choices: readonly (readonly [context: number, choice: number])[];
  readonly before: Settled | undefined;
}

/**
 * Every context with every option that a better plan could make of it, gains counted from the incumbent's choices. Left
 * out is what overfills a row by itself, what another option does at least as well with no more of any row, and
 * without parents what costs more at the prices than is to be gained.
 * @param isPlan whether the incumbent keeps every limit: if not, there is no telling what is to be gained.
 */
export function wholeCore(
  problem: Problem,
  rows: readonly Row[],
  prices: Float64Array,
  incumbent: Int32Array,
  isPlan = true,
): OpenCore {
  const { demand, hasParents } = problem;
  const n = demand.contexts;
  const R = rows.length;
  const options = new PricedOptions(problem, rows);
  options.set(prices);
  const near = hasParents || !isPlan ? undefined : nearness(problem, rows, options, prices, incumbent);
  const isLeaf = new Uint8Array(n).fill(1);
  for (const parent of demand.parents) if (parent >= 0) isLeaf[parent] = 0;
  const first = new Int32Array(n + 1);
  const kept: Option[] = [];
  for (let i = 0; i < n; i++) {
    const open: Option[] = [];
    const before = utilityOf(problem, i, incumbent[i]!);
    options.forEach(i, (choice) => {
      if (near !== undefined && near.best[i]! - options.value(i, choice) > near.gap) return;
      open.push(optionOf(problem, rows, i, choice, before));
    });
    const may = hasParents
      ? (a: Option, b: Option) => a.state === b.state || (isLeaf[i] === 1 && standsFor(a, b))
      : () => true;
    kept.push(...undominated(open, may));
    first[i + 1] = kept.length;
  }
  const use = new Float64Array(kept.length * R);
  kept.forEach((option, o) => {
    use.set(option.use, o * R);
  });
  return {
    context: Int32Array.from({ length: n }, (_, i) => i),
    parent: Int32Array.from(demand.parents),
    entry: new Int32Array(n),
    first,
    choice: Int32Array.from(kept, (option) => option.choice),
    state: Int32Array.from(kept, (option) => option.state),
    gain: Float64Array.from(kept, (option) => option.gain),
    use,
    settledGain: 0,
    settledUse: new Float64Array(R),
    settled: undefined,
  };
}

/** The best that contexts without parents do at the prices, and how far the incumbent stays behind the bound. */
function nearness(
  problem: Problem,
  rows: readonly Row[],
  options: PricedOptions,
  prices: Float64Array,
  incumbent: Int32Array,
): { best: Float64Array; gap: number } {
  const best = new Float64Array(problem.demand.contexts).fill(Number.NEGATIVE_INFINITY);
  const used = totalUse(problem, rows, incumbent);
  let gap = rows.reduce((sum, row, r) => sum + prices[r]! * Math.max(0, row.limit - used[r]!), 0);
  for (let i = 0; i < best.length; i++) {
    options.forEach(i, (choice) => {
      best[i] = Math.max(best[i]!, options.value(i, choice));
    });
    gap += Math.max(0, best[i]! - options.value(i, incumbent[i]!));
  }
  return { best, gap };
}

interface Option {
  readonly choice: number;
  readonly state: number;
  readonly gain: number;
  readonly use: Float64Array;
}

function optionOf(problem: Problem, rows: readonly Row[], i: number, choice: number, before: number): Option {
  const { lossyOf } = problem.forms;
  const use = new Float64Array(rows.length);
  addUse(problem, rows, i, choice, use);
  const state = choice === KEEP_NOTHING ? NOT_KEPT : 1 + lossyOf[choice % lossyOf.length]!;
  return { choice, state, gain: utilityOf(problem, i, choice) - before, use };
}

/** Whether a leaf may have option a on every path on which it may have b. */
function standsFor(a: Option, b: Option): boolean {
  return a.state === NOT_KEPT || (a.state === AS_FOUND && b.state !== NOT_KEPT);
}

/** The options that no other one makes needless. @param may whether one stands for the other at all. */
function undominated(options: Option[], may: (a: Option, b: Option) => boolean): Option[] {
  options.sort((a, b) => b.gain - a.gain || sum(a.use) - sum(b.use) || a.choice - b.choice);
  const kept: Option[] = [];
  for (const option of options)
    if (!kept.some((other) => may(other, option) && other.use.every((amount, r) => amount <= option.use[r]!)))
      kept.push(option);
  return kept;
}

function sum(amounts: Float64Array): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}

/** A core with fewer options, and where each of the old ones is now. */
export interface Narrowed {
  readonly core: OpenCore;
  /** By old option: its new position, SETTLED where it is decided on, GONE where it is no longer open. */
  readonly moved: Int32Array;
}

export const SETTLED = -1;
export const GONE = -2;

/**
 * The core without the options that are not kept. A context with one option left is settled when no open one lies
 * below it, or when all above it is settled.
 * @param kept by option, such that each that is kept goes together with some of every other context.
 */
export function narrowed(core: OpenCore, kept: Uint8Array): Narrowed {
  const { context, parent, entry, first } = core;
  const K = context.length;
  const R = core.settledUse.length;
  const only = new Int32Array(K).fill(-1);
  const busy = new Uint8Array(K);
  let options = 0;
  for (let k = K - 1; k >= 0; k--) {
    let count = 0;
    for (let o = first[k]!; o < first[k + 1]!; o++) {
      if (kept[o] === 0) continue;
      count++;
      only[k] = o;
    }
    options += count;
    if (count > 1) {
      only[k] = -1;
      busy[k] = 1;
    }
    if (busy[k] === 1 && parent[k]! >= 0) busy[parent[k]!] = 1;
  }
  const at = new Int32Array(K).fill(-1);
  const entered = new Int32Array(K);
  const choices: [number, number][] = [];
  const moved = new Int32Array(kept.length).fill(GONE);
  const settledUse = core.settledUse.slice();
  let settledGain = core.settledGain;
  const into = {
    context: [] as number[],
    parent: [] as number[],
    entry: [] as number[],
    first: new Int32Array(K + 1),
    choice: new Int32Array(options),
    state: new Int32Array(options),
    gain: new Float64Array(options),
    use: new Float64Array(options * R),
  };
  let end = 0;
  for (let k = 0; k < K; k++) {
    const above = parent[k]!;
    const root = above < 0 || at[above]! < 0;
    entered[k] = above < 0 ? entry[k]! : only[above]! >= 0 ? leftBy(core, only[above]!, entered[above]!) : 0;
    const o = only[k]!;
    if (o >= 0 && (busy[k] === 0 || root)) {
      choices.push([context[k]!, core.choice[o]!]);
      moved[o] = SETTLED;
      settledGain += core.gain[o]!;
      for (let r = 0; r < R; r++) settledUse[r]! += core.use[o * R + r]!;
      continue;
    }
    at[k] = into.context.push(context[k]!) - 1;
    into.parent.push(root ? -1 : at[above]!);
    into.entry.push(entered[k]!);
    for (let o = first[k]!; o < first[k + 1]!; o++) {
      if (kept[o] === 0) continue;
      moved[o] = end;
      into.choice[end] = core.choice[o]!;
      into.state[end] = core.state[o]!;
      into.gain[end] = core.gain[o]!;
      for (let r = 0; r < R; r++) into.use[end * R + r] = core.use[o * R + r]!;
      end++;
    }
    into.first[at[k]! + 1] = end;
  }
  return {
    core: {
      context: Int32Array.from(into.context),
      parent: Int32Array.from(into.parent),
      entry: Int32Array.from(into.entry),
      first: into.first.slice(0, into.context.length + 1),
      choice: into.choice.slice(0, end),
      state: into.state.slice(0, end),
      gain: into.gain.slice(0, end),
      use: into.use.slice(0, end * R),
      settledGain,
      settledUse,
      settled: choices.length === 0 ? core.settled : { choices, before: core.settled },
    },
    moved,
  };
}

/** The state of the path below an option that was entered in a state. */
function leftBy({ state }: OpenCore, o: number, entered: number): number {
  return state[o] === AS_FOUND ? entered : state[o]!;
}

/** The whole choices: the incumbent's, what was settled since, and these options of the core. */
export function wholeChoices(incumbent: Int32Array, core: OpenCore, options: Int32Array): Int32Array {
  const choices = incumbent.slice();
  for (let at = core.settled; at !== undefined; at = at.before)
    for (const [context, choice] of at.choices) choices[context] = choice;
  options.forEach((o, k) => {
    choices[core.context[k]!] = core.choice[o]!;
  });
  return choices;
}
