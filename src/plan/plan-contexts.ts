import type { Demand } from '../formats/demand.js';
import type { MethodRow } from '../formats/methods.js';
import type { Model } from '../formats/model.js';
import type { Placement, PlanHeader, Rules } from '../formats/plan.js';
import type { Tier } from '../formats/tiers.js';
import { fitCurves } from './curves.js';
import { placements, planHeader } from './make-plan.js';
import { buildProblem, type Problem, type ProblemOptions } from './problem.js';
import { couplingRows } from './rows.js';
import { solverNamed } from './solvers/index.js';
import type { Solution } from './solvers/solver.js';

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
  /** The plan in force: its prices are the start, its generation is counted on. */
  readonly previous?: PlanHeader;
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
 * @throws EvicpressError when no plan keeps every limit, or a name is unknown.
 */
export function planContexts(request: PlanRequest): PlannedContexts {
  const { demand, tiers, model, methods, confidence, offered, previous, minQuality } = request;
  const curves = fitCurves(methods, {
    ...(confidence === undefined ? {} : { confidence }),
    ...(offered === undefined ? {} : { methods: offered }),
  });
  const problem = buildProblem(demand, tiers, model, curves, request);
  const solver = solverNamed(request.solver ?? 'dual');
  const startedAt = performance.now();
  const solution = solver.solve(
    problem,
    previous === undefined ? {} : { start: pricesOf(previous, problem) },
  );
  const solveSeconds = (performance.now() - startedAt) / 1000;
  const header = planHeader(problem, solution, {
    model: model.name,
    generation: (previous?.generation ?? 0) + 1,
    rules: request.rules ?? { fallback: 'lru' },
    inputs: request.inputs ?? [],
    objective: {
      ...(minQuality === undefined ? {} : { minQuality }),
      ...(confidence === undefined ? {} : { confidence }),
    },
  });
  return { problem, solution, header, rows: () => placements(problem, solution.choices), solveSeconds };
}

/** A plan's prices, by row of a problem; 0 where the plan had none. */
function pricesOf(header: PlanHeader, problem: Problem): Float64Array {
  return Float64Array.from(couplingRows(problem), ({ kind, tier }) =>
    kind === 'capacity'
      ? (header.tiers.find((entry) => entry.name === problem.tiers[tier]!.name)?.price ?? 0)
      : 0,
  );
}
