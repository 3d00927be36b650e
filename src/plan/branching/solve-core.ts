import type { Highs } from 'highs';
import type { SearchResult } from '../core.js';
import type { Problem } from '../problem.js';
import type { Row } from '../rows.js';
import { kindsOf } from './branching.js';
import { type CoreProgram, coreProgram } from './core-program.js';
import { narrow } from './narrowing.js';
import { type OpenCore, wholeChoices, wholeCore } from './open-core.js';

/** Options beyond which a core is not tried: a program of that size takes longer than its iterations tell. */
const MOST_OPTIONS = 40_000;
/** Simplex iterations, a work that is the same on every machine: some ten seconds. */
const MOST_ITERATIONS = 200_000;

let loading: Promise<Highs> | undefined;

/** HiGHS in WebAssembly: a tenth of a second, once a process, and only where it is needed. */
function loadHighs(): Promise<Highs> {
  // Its types take the package for one in CommonJS, with its exports below `default`.
  loading ??= import('highs').then(({ default: load }) => (load as unknown as typeof load.default)());
  return loading;
}

/**
 * Solves what is left of a problem near its Lagrangian optimum as a mixed integer program, with HiGHS. Contexts that
 * are alike are counted instead of told apart, which is where a search of single contexts does not end.
 * @param prices of the rows, near the optimum. @param incumbent choices of the best plan known.
 * @param rounding what is no more than this better is not looked for, in utility.
 */
export async function solveCore(
  problem: Problem,
  rows: readonly Row[],
  prices: Float64Array,
  incumbent: Int32Array,
  rounding: number,
): Promise<SearchResult> {
  const limits = Float64Array.from(rows, (row) => row.limit);
  const whole = wholeCore(problem, rows, prices, incumbent);
  const kept = new Uint8Array(whole.choice.length).fill(1);
  const left = narrow(whole, limits, problem.forms.lossyNames.length, prices, kept, rounding);
  if (left === undefined) return { gap: 0 };
  const { core, bound, forgone } = left;
  const closed = Math.max(0, forgone);
  if (bound <= rounding) return { gap: Math.max(closed, bound) };
  if (core.choice.length > MOST_OPTIONS) return { gap: bound };
  const { options, most } =
    core.choice.length === 0
      ? { options: new Int32Array(0), most: core.settledGain }
      : await solved(
          coreProgram(core, limits, prices, alikeIn(core, kindsOf(problem)), bound),
          bound,
          rounding,
        );
  const gained = options === undefined ? 0 : gainOf(core, limits, options);
  const gap = Math.max(closed, Math.min(bound, most)) - Math.max(0, gained);
  if (options === undefined || gained <= 0) return { gap: Math.max(0, gap) };
  return { choices: wholeChoices(incumbent, core, options), gap: Math.max(0, gap) };
}

/** The best plan of a program that gains more than the incumbent, none where there is none, and what none exceeds. */
async function solved(
  { model: data, most, optionsOf }: CoreProgram,
  unit: number,
  rounding: number,
): Promise<{ options: Int32Array | undefined; most: number }> {
  const highs = await loadHighs();
  return highs.withModel(data, (model) => {
    model.options.set({
      output_flag: false,
      mip_rel_gap: 0,
      mip_abs_gap: rounding / unit,
      objective_bound: (most - rounding) / unit,
      mip_feasibility_tolerance: 1e-10,
      primal_feasibility_tolerance: 1e-10,
      dual_feasibility_tolerance: 1e-10,
    });
    model.run({
      [highs.constants.callbackType.mipInterrupt](event) {
        if ((event.data.mip_total_lp_iterations ?? 0n) > MOST_ITERATIONS) event.interrupt();
      },
    });
    if (model.getModelStatus() === highs.constants.modelStatus.infeasible)
      return { options: undefined, most: 0 };
    return {
      options:
        model.info.get('primal_solution_status') === highs.constants.solutionStatus.feasible
          ? optionsOf(model.getSolution().colValue)
          : undefined,
      most: most - unit * Number(model.info.get('mip_dual_bound')),
    };
  });
}

/** The contexts of a core that are alike and have the same options left; each with parents or children is alone. */
function alikeIn({ context, parent, first, choice }: OpenCore, kinds: Int32Array): number[][] {
  const inTree = new Uint8Array(context.length);
  parent.forEach((above, k) => {
    if (above >= 0) inTree[k] = inTree[above] = 1;
  });
  const groups = new Map<string, number[]>();
  for (let k = 0; k < context.length; k++) {
    const alike = `${kinds[context[k]!]!} ${choice.slice(first[k]!, first[k + 1]!).join(' ')}`;
    const name = inTree[k] === 1 ? `alone ${k}` : alike;
    const known = groups.get(name);
    if (known === undefined) groups.set(name, [k]);
    else known.push(k);
  }
  return [...groups.values()];
}

/** What options gain over the incumbent; −Infinity where they do not keep every limit. */
function gainOf(core: OpenCore, limits: Float64Array, options: Int32Array): number {
  const R = limits.length;
  const used = core.settledUse.slice();
  let gain = core.settledGain;
  for (const o of options) {
    gain += core.gain[o]!;
    for (let r = 0; r < R; r++) used[r]! += core.use[o * R + r]!;
  }
  return used.some((amount, r) => amount > limits[r]! * (1 + 1e-12)) ? Number.NEGATIVE_INFINITY : gain;
}
