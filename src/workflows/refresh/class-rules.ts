import { type ClassRule, type Placement, RECOMPUTE, type Rules } from '../../formats/plan.js';
import type { Problem } from '../../plan/problem.js';

/** Rules for so many classes; beyond it the rarest go without and take the general rule. */
const MOST_CLASSES = 1000;

interface Option {
  readonly method: string;
  readonly compressionRatio: number;
  readonly bytesFraction: number;
  readonly quality: number;
}

interface Tally {
  readonly accesses: number[];
  readonly byOption: Map<string, { rule: Option; weight: number }>;
}

/**
 * The rules for contexts that no row names, learned from the plan's own rows: a class is stored as most of its
 * reuse is, and is expected to be reused as often as its contexts were on average.
 * @param rows the plan's rows, in the problem's order.
 */
export function learnRules(problem: Problem, rows: readonly Placement[], halfLifeSeconds: number): Rules {
  const tallies = new Map<number, Tally>();
  rows.forEach((row, i) => {
    const contextClass = problem.demand.classOf[i]!;
    for (const key of contextClass < 0 ? [-1] : [-1, contextClass]) note(tallies, key, problem, row, i);
  });
  const classes = [...tallies]
    .sort(([, a], [, b]) => sum(b.accesses) - sum(a.accesses))
    .slice(0, MOST_CLASSES)
    .flatMap(([key, tally]): ClassRule[] => {
      const best = [...tally.byOption.values()].sort((a, b) => b.weight - a.weight)[0];
      if (best === undefined) return [];
      const name = key < 0 ? {} : { class: problem.demand.classes[key]! };
      return [{ ...name, accesses: sum(tally.accesses) / tally.accesses.length, ...best.rule }];
    });
  return { fallback: 'lru', halfLifeSeconds, classes };
}

function note(tallies: Map<number, Tally>, key: number, problem: Problem, row: Placement, i: number): void {
  let tally = tallies.get(key);
  if (tally === undefined) {
    tally = { accesses: [], byOption: new Map() };
    tallies.set(key, tally);
  }
  tally.accesses.push(row.accesses);
  if (row.tier === RECOMPUTE) return;
  const option = `${row.method}@${row.compressionRatio}`;
  const known = tally.byOption.get(option);
  if (known !== undefined) known.weight += row.accesses;
  else
    tally.byOption.set(option, {
      weight: row.accesses,
      rule: {
        method: row.method,
        compressionRatio: row.compressionRatio,
        bytesFraction: row.storedBytes / problem.demand.fullBytes[i]!,
        quality: row.quality,
      },
    });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
