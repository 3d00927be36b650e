import type { ModelData } from 'highs';
import { AS_FOUND, NOT_KEPT, type OpenCore } from './open-core.js';

/** A core as a mixed integer program, and how its solutions read. */
export interface CoreProgram {
  readonly model: ModelData;
  /** A plan gains `most − unit · objective`. */
  readonly most: number;
  readonly unit: number;
  /** What a solution's columns stand for: the option of each context of the core. */
  readonly optionsOf: (solution: Float64Array) => Int32Array;
}

/** How many contexts of a group take an option where the path above leaves them in a state. */
interface Column {
  readonly group: number;
  readonly option: number;
  readonly cost: number;
  readonly most: number;
  readonly entries: readonly Entry[];
}

interface Entry {
  readonly row: number;
  readonly value: number;
}

/**
 * Writes a core down for a solver of mixed integer programs. Contexts that are alike share their columns: these count
 * how many take an option and do not say which, so that no plan comes twice. With parents an option has a column for
 * every state in which the path above may be left, and as many enter a state as the parent leaves in it. Minimized are
 * the losses at the prices and the room left, priced: numbers of the size of what can be gained, where utilities may
 * be many orders larger.
 * @param groups contexts that are alike, by position; those with parents or children are alone in theirs.
 * @param known what the best plan known gains: what is between that and the most that can be gained is the unit.
 */
export function coreProgram(
  core: OpenCore,
  limits: Float64Array,
  prices: Float64Array,
  groups: readonly (readonly number[])[],
  known: number,
): CoreProgram {
  const R = limits.length;
  const { first, state, use } = core;
  const { losses, most } = lossesAt(core, limits, prices);
  const unit = most > known ? most - known : 1;
  const largest = new Float64Array(R);
  for (let at = 0; at < use.length; at++) largest[at % R] = Math.max(largest[at % R]!, use[at]!);
  const scales = largest.map((amount, r) => amount || limits[r]! || 1);
  const bounds = Array.from(limits, (limit, r) => (limit - core.settledUse[r]!) / scales[r]!);
  const children = core.parent.reduce(
    (below, parent, k) => (parent < 0 ? below : below.set(parent, [...(below.get(parent) ?? []), k])),
    new Map<number, number[]>(),
  );
  const entered = statesEntered(core);
  /** By context and state: the row in which those that enter it are counted. */
  const counted = new Map<string, number>();
  for (const members of groups) {
    const k = members[0]!;
    for (const above of entered[k]!)
      counted.set(`${k} ${above}`, bounds.push(core.parent[k]! < 0 ? members.length : 0) - 1);
  }
  const columns: Column[] = [];
  for (const [group, members] of groups.entries()) {
    const k = members[0]!;
    for (const above of entered[k]!) {
      for (let o = first[k]!; o < first[k + 1]!; o++) {
        const left = leftBy(state[o]!, above);
        if (left === undefined) continue;
        const entries = [{ row: counted.get(`${k} ${above}`)!, value: 1 }];
        for (const child of children.get(k) ?? [])
          entries.push({ row: counted.get(`${child} ${left}`)!, value: -1 });
        for (let r = 0; r < R; r++)
          if (use[o * R + r]! > 0) entries.push({ row: r, value: use[o * R + r]! / scales[r]! });
        columns.push({ group, option: o, cost: losses[o]! / unit, most: members.length, entries });
      }
    }
  }
  const integers = columns.length;
  for (let r = 0; r < R; r++)
    columns.push({
      group: -1,
      option: -1,
      cost: (prices[r]! * scales[r]!) / unit,
      most: Number.POSITIVE_INFINITY,
      entries: [{ row: r, value: 1 }],
    });
  return {
    model: modelOf(columns, integers, Float64Array.from(bounds)),
    most,
    unit,
    optionsOf: (solution) => {
      const options = new Int32Array(core.context.length);
      const dealt = new Int32Array(groups.length);
      columns.slice(0, integers).forEach(({ group, option }, column) => {
        const members = groups[group]!;
        for (
          let count = Math.round(solution[column]!);
          count > 0 && dealt[group]! < members.length;
          count--
        ) {
          const member = members[dealt[group]!++]!;
          options[member] = option - first[members[0]!]! + first[member]!;
        }
      });
      return options;
    },
  };
}

/** What every option loses against the best of its context at the prices, and what is gained without any loss. */
function lossesAt(core: OpenCore, limits: Float64Array, prices: Float64Array) {
  const { first, gain, use } = core;
  const R = limits.length;
  const losses = new Float64Array(gain.length);
  let most = core.settledGain;
  for (let r = 0; r < R; r++) most += prices[r]! * (limits[r]! - core.settledUse[r]!);
  for (let k = 0; k < core.context.length; k++) {
    let best = Number.NEGATIVE_INFINITY;
    for (let o = first[k]!; o < first[k + 1]!; o++) {
      let value = gain[o]!;
      for (let r = 0; r < R; r++) value -= prices[r]! * use[o * R + r]!;
      losses[o] = value;
      if (value > best) best = value;
    }
    for (let o = first[k]!; o < first[k + 1]!; o++) losses[o] = best - losses[o]!;
    most += best;
  }
  return { losses, most };
}

/** The states in which each context may find the path above it. */
function statesEntered({ parent, entry, first, state }: OpenCore): readonly (readonly number[])[] {
  const entered: number[][] = [];
  for (let k = 0; k < parent.length; k++) {
    const above = parent[k]!;
    const states = new Set(above < 0 ? [entry[k]!] : []);
    for (const found of above < 0 ? [] : entered[above]!) {
      for (let o = first[above]!; o < first[above + 1]!; o++) {
        const left = leftBy(state[o]!, found);
        if (left !== undefined) states.add(left);
      }
    }
    entered.push([...states]);
  }
  return entered;
}

/** The state in which an option leaves a path that it found in another; undefined where it may not be chosen. */
function leftBy(state: number, found: number): number | undefined {
  if (state === NOT_KEPT) return NOT_KEPT;
  if (found === NOT_KEPT) return undefined;
  if (state === AS_FOUND) return found;
  return found === AS_FOUND || found === state ? state : undefined;
}

function modelOf(columns: readonly Column[], integers: number, bounds: Float64Array): ModelData {
  const starts = new Int32Array(columns.length + 1);
  columns.forEach(({ entries }, column) => {
    starts[column + 1] = starts[column]! + entries.length;
  });
  const entries = columns.flatMap((column) => column.entries);
  return {
    numCols: columns.length,
    numRows: bounds.length,
    colCost: Float64Array.from(columns, ({ cost }) => cost),
    colLower: new Float64Array(columns.length),
    colUpper: Float64Array.from(columns, ({ most }) => most),
    rowLower: bounds,
    rowUpper: bounds,
    matrix: {
      format: 'csc',
      numRows: bounds.length,
      numCols: columns.length,
      starts,
      indices: Int32Array.from(entries, ({ row }) => row),
      values: Float64Array.from(entries, ({ value }) => value),
    },
    integrality: Int32Array.from(columns.keys(), (column) => (column < integers ? 1 : 0)),
  };
}
