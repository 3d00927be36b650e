import type { Highs } from 'highs';
import type { SearchResult } from '../core.js';
import type { Problem } from '../problem.js';
import { KEPT, type Row } from '../rows.js';
import { kindsOf } from './branching.js';
import { coreProgram } from './core-program.js';
import { narrow } from './narrowing.js';
import { type OpenCore, wholeChoices, wholeCore } from './open-core.js';

/**
 * How much of the way from the bound down to the best plan known is searched, one after the other: plans that gain more
 * than some part of it have their options in a smaller core, and what is found there makes the next core smaller.
 */
const SHARES = [1 / 64, 1 / 16, 1 / 4, 1];
/** A core of so few options needs no smaller one before it. */
const FEW_OPTIONS = 2_000;
/** Simplex iterations, a work that is the same on every machine: some ten seconds. */
const MOST_ITERATIONS = 200_000;

let loading: Promise<Highs> | undefined;

/** HiGHS in WebAssembly: a tenth of a second, once a process, and only where it is needed. */
function loadHighs(): Promise<Highs> {
  // Its types take the package for one in CommonJS, with its exports below `default`.
  loading ??= import('highs').then(({ default: load }) => (load as unknown as typeof load.default)());
  return loading;
}

/** How far a core is solved. */
export interface CoreLimits {
  /** What is no more than this better is not looked for: rounding, in utility. */
  readonly rounding: number;
  /** Open options up to which a core is tried. */
  readonly options: number;
}

/**
 * Solves what is left of a problem near its Lagrangian optimum as a mixed integer program, with HiGHS. Contexts that
 * are alike are counted instead of told apart, which is where a search of single contexts does not end.
 * @param prices of the rows, near the optimum. @param incumbent choices of the best plan known.
 */
export async function solveCore(
  problem: Problem,
  rows: readonly Row[],
  prices: Float64Array,
  incumbent: Int32Array,
  { rounding, options: mostOptions }: CoreLimits,
): Promise<SearchResult> {
  const limits = Float64Array.from(rows, (row) => row.limit);
  const whole = wholeCore(problem, rows, prices, incumbent);
  const open = new Uint8Array(whole.choice.length).fill(1);
  /** What is left for plans that gain more than that. */
  const beyond = (enough: number) =>
    narrow(whole, limits, problem.forms.lossyNames.length, prices, open.slice(), enough);
  const widest = beyond(rounding);
  if (widest === undefined) return { gap: 0 };
  let choices: Int32Array | undefined;
  let gained = 0;
  /** No plan gains more. */
  let most = Math.max(0, widest.bound);
  for (const share of widest.core.choice.length > FEW_OPTIONS ? SHARES : [1]) {
    if (most <= gained + rounding) break;
    const isWidest = share === 1 && gained === 0;
    const left = isWidest ? widest : beyond(gained + rounding + (1 - share) * (most - gained));
    if (left === undefined || left.core.choice.length > mostOptions) break;
    const { core, forgone } = left;
    const found = await solved(
      core,
      limits,
      prices,
      alikeIn(core, kindsOf(problem, core.context)),
      gained,
      rounding,
    );
    most = Math.min(most, Math.max(gained, forgone, found.most));
    if (found.options === undefined) continue;
    const gain = gainOf(core, limits, found.options);
    if (gain <= gained) continue;
    gained = gain;
    choices = wholeChoices(incumbent, core, found.options);
  }
  return { ...(choices && { choices }), gap: Math.max(0, most - gained) };
}

/** The best plan of a core that gains more than what is known, none where there is none, and what no plan of it exceeds. */
async function solved(
  core: OpenCore,
  limits: Float64Array,
  prices: Float64Array,
  groups: readonly (readonly number[])[],
  known: number,
  rounding: number,
): Promise<{ options: Int32Array | undefined; most: number }> {
  if (core.choice.length === 0) return { options: new Int32Array(0), most: core.settledGain };
  const { model: data, most, unit, optionsOf } = coreProgram(core, limits, prices, groups, known);
  const highs = await loadHighs();
  const run = () =>
    highs.withModel(data, (model) => {
      model.options.set({
        output_flag: false,
        mip_rel_gap: 0,
        mip_abs_gap: rounding / unit,
        objective_bound: (most - known - rounding) / unit,
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
  try {
    return run();
  } catch (error) {
    // Numbers that HiGHS does not take, or more memory than WebAssembly has: the plan stays, and so does its gap.
    const isAborted = error instanceof Error && error.name === 'RuntimeError';
    if (isAborted) loading = undefined;
    if (isAborted || error instanceof highs.errors.HighsError)
      return { options: undefined, most: Number.POSITIVE_INFINITY };
    throw error;
  }
}

/** The contexts of a core that are alike and have the same options left; each with parents or children is alone. */
function alikeIn({ context, parent, first, choice }: OpenCore, kinds: Int32Array): number[][] {
  const inTree = new Uint8Array(context.length);
  parent.forEach((above, k) => {
    if (above >= 0) inTree[k] = inTree[above] = 1;
  });
  const groups = new Map<string, number[]>();
  for (let k = 0; k < context.length; k++) {
    const alike = `${kinds[k]!} ${choice.slice(first[k]!, first[k + 1]!).join(' ')}`;
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
  return used.some((amount, r) => amount > limits[r]! * KEPT) ? Number.NEGATIVE_INFINITY : gain;
}
