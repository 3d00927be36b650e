import type { Demand } from '../formats/demand.js';
import type { MethodRow } from '../formats/methods.js';
import type { Model } from '../formats/model.js';
import type { Placement, PlanHeader, Rules } from '../formats/plan.js';
import type { Tier } from '../formats/tiers.js';
import { baselineUtility, totalUtility } from './baseline.js';
import { conflictIn, type Feasibility } from './conflict.js';
import type { ProblemOptions } from './constraints.js';
import { fitCurves } from './curves.js';
import { choicesInForce } from './in-force.js';
import { InfeasibleError } from './infeasible.js';
import { placements, planHeader, usedByTier } from './make-plan.js';
import { buildProblem, type Problem } from './problem.js';
import { solveRelaxation } from './relaxation.js';
import { couplingRows, namesOf } from './rows.js';
import { pricedPlan } from './solvers/dual.js';
import { solverNamed } from './solvers/index.js';
import { type Solution, solutionOf } from './solvers/solver.js';
import { solveForTarget, type Target } from './targets.js';

/** Everything a plan is made from. */
export interface PlanRequest extends ProblemOptions {
  readonly demand: Demand;
  /** Fast to slow. */
  readonly tiers: readonly Tier[];
  readonly model: Model;
  /** Rows of one metric; none offers no compression. */
  readonly methods: readonly MethodRow[];
  /** Offer only these methods: what the engine can carry out. */
  readonly offered?: (method: string) => boolean;
  /** Plan on the lower bound of quality that holds with this probability. */
  readonly confidence?: number;
  readonly solver?: string;
  /** Solve for alpha instead of taking it as given. */
  readonly target?: Target;
  /** The plan in force: its prices are the start, its generation is counted on. */
  readonly previous?: PlanHeader;
  /** Its rows, where changing it is to cost something. */
  readonly previousRows?: readonly Placement[];
  /** Seconds of waiting that writing one GB (10^9 bytes) is worth. */
  readonly migrationSecondsPerGb?: number;
  readonly rules?: Rules;
  readonly inputs?: readonly { readonly path: string; readonly sha256: string }[];
}

/** A plan in memory: its header at once, its rows when asked for. */
export interface PlannedContexts {
  readonly problem: Problem;
  readonly solution: Solution;
  readonly header: PlanHeader;
  readonly rows: () => Iterable<Placement>;
  readonly solveSeconds: number;
}

/**
 * Plans: options from measurements and demand, the solver, the sums.
 * @throws InfeasibleError naming the demands that contradict each other. @throws EvicpressError for unknown names.
 */
export async function planContexts(request: PlanRequest): Promise<PlannedContexts> {
  const { model, confidence, previous, minQuality, minQualityOfClass } = request;
  let startedAt = 0;
  const planned = async () => {
    const problem = problemOf(request);
    startedAt = performance.now();
    return uncharged(await solve(problem, request));
  };
  const { problem, solution } = await explained(planned, request);
  const solveSeconds = (performance.now() - startedAt) / 1000;
  const header = planHeader(problem, solution, {
    model: model.name,
    generation: (previous?.generation ?? 0) + 1,
    rules: request.rules ?? { fallback: 'lru' },
    inputs: request.inputs ?? [],
    objective: {
      ...(minQuality === undefined ? {} : { minQuality }),
      ...(minQualityOfClass === undefined ? {} : { minQualityOfClass }),
      ...(confidence === undefined ? {} : { confidence }),
      ...request.target,
    },
  });
  return { problem, solution, header, rows: () => placements(problem, solution.choices), solveSeconds };
}

/** The problem of a request, the plan in force beside it where changing that costs something or counts as writing. */
export function problemOf(request: PlanRequest): Problem {
  const { demand, tiers, model, methods, confidence, offered, previousRows } = request;
  const curves = fitCurves(methods, {
    ...(confidence === undefined ? {} : { confidence }),
    ...(offered === undefined ? {} : { methods: offered }),
  });
  const problem = buildProblem(demand, tiers, model, curves, request);
  const counts =
    (request.migrationSecondsPerGb ?? 0) > 0 ||
    problem.budgets?.writtenBytes.some((bytes) => Number.isFinite(bytes));
  if (previousRows === undefined || counts !== true) return problem;
  return { ...problem, inForce: choicesInForce(problem, previousRows) };
}

/** Runs, and where no plan is found says which demands contradict each other. */
async function explained<T>(run: () => Promise<T>, request: PlanRequest): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof InfeasibleError)) throw error;
    throw conflictIn(request, solverOf(request), feasibilityOf);
  }
}

function feasibilityOf(request: PlanRequest): Feasibility {
  try {
    pricedPlan(problemOf(request));
    return 'found';
  } catch (error) {
    if (error instanceof InfeasibleError) return error.isProved ? 'impossible' : 'not found';
    throw error;
  }
}

function solverOf({ solver = 'dual' }: PlanRequest): string {
  return solver;
}

/**
 * Solves by the solver that is named. Where changing the plan in force costs something, that cost decides, but
 * the sums and the proof are those of the problem without it: the gap then shows what staying put gives away.
 */
async function solve(
  problem: Problem,
  request: PlanRequest,
): Promise<{ problem: Problem; solution: Solution }> {
  const { previous, migrationSecondsPerGb = 0, target } = request;
  const solver = solverNamed(solverOf(request));
  const options = previous === undefined ? {} : { start: pricesOf(previous, problem) };
  const solved = async (asked: Problem) =>
    target?.meanQuality !== undefined || target?.maxMeanTtftSeconds !== undefined
      ? solveForTarget(asked, target, solver)
      : { problem: asked, solution: await solver.solve(asked, options) };
  if (problem.inForce === undefined || migrationSecondsPerGb === 0) return solved(problem);
  const moved = await solved({ ...problem, movingSecondsPerByte: migrationSecondsPerGb / 1e9 });
  const free = { ...problem, alpha: moved.problem.alpha };
  const { optimum } = solveRelaxation(free, options.start);
  return { problem: free, solution: solutionOf(free, solver.name, moved.solution.choices, optimum) };
}

/**
 * Takes the charge for money out of the sums again. A bound on utility less charge, plus the charge of this plan,
 * bounds the utility of every plan that costs no more than it.
 */
function uncharged({ problem, solution }: { problem: Problem; solution: Solution }): {
  problem: Problem;
  solution: Solution;
} {
  const { budgets } = problem;
  if (budgets === undefined || budgets.charge.every((charge) => charge === 0)) return { problem, solution };
  const free = { ...problem, budgets: { ...budgets, charge: budgets.charge.map(() => 0) } };
  const used = usedByTier(problem, solution.choices);
  const charged = used.reduce((sum, bytes, t) => sum + bytes * budgets.charge[t]!, 0);
  return {
    problem: free,
    solution: {
      ...solution,
      utility: totalUtility(free, solution.choices),
      baseline: baselineUtility(free),
      bound: solution.bound + charged,
      relaxationBound: solution.relaxationBound + charged,
    },
  };
}

/** A plan's prices, by row of a problem; 0 where the plan had none. */
export function pricesOf(header: PlanHeader, problem: Problem): Float64Array {
  return Float64Array.from(couplingRows(problem), (row) => {
    const { tier, tenant } = namesOf(problem, row);
    const known =
      row.kind === 'capacity'
        ? header.tiers.find((entry) => entry.name === tier)
        : header.limits?.find(
            (limit) => limit.kind === row.kind && limit.tier === tier && limit.tenant === tenant,
          );
    return known?.price ?? 0;
  });
}
