import { recomputeSeconds } from '../cost/prefill.js';
import { errors } from '../errors.js';
import type { Model } from '../formats/model.js';
import type { Tier } from '../formats/tiers.js';
import { type Budgets, periodOf, readBudgets } from './budgets.js';
import type { ProblemOptions } from './constraints.js';
import type { CurveBook } from './curves.js';
import type { Demand } from './demand.js';
import { FormBuilder, type FormTable } from './forms.js';
import { assignOptions } from './offered-options.js';
import { type ProblemTier, problemTiersOf } from './problem-tiers.js';

/** A choice that keeps nothing. Other choices are `tier · forms + form`. */
export const KEEP_NOTHING = -1;

/** An instance of the planning problem: a multiple-choice knapsack, with a prefix closure where contexts have parents. */
export interface Problem {
  readonly demand: Demand;
  readonly alpha: number;
  readonly tiers: readonly ProblemTier[];
  readonly forms: FormTable;
  /** Curve of each context. */
  readonly curveOf: Int32Array;
  /** Bit t: tier t is allowed; bit `tiers.length`: recompute is allowed. */
  readonly allowed: Uint32Array;
  /** Seconds to recompute each context. */
  readonly recomputeSeconds: Float64Array;
  readonly hasParents: boolean;
  /** Limits and charges beyond the tiers' own; absent where there are none. */
  readonly budgets?: Budgets;
  /** The choice in force, by context, KEEP_NOTHING where there is none; absent where no plan is in force. */
  readonly inForce?: Int32Array;
  /** Seconds of waiting that writing one byte is worth; absent where changing the plan in force is free. */
  readonly movingSecondsPerByte?: number;
}

/**
 * Turns measurements and demand into options.
 * @param tiers fast to slow, capacities already overridden.
 * @throws EvicpressError when a pin or a floor leaves a context without any option.
 */
export function buildProblem(
  demand: Demand,
  tiers: readonly Tier[],
  model: Model,
  curves: CurveBook,
  options: ProblemOptions,
): Problem {
  const forbidden = new Set(options.forbidden ?? []);
  for (const name of forbidden) {
    if (name !== 'recompute' && !tiers.some((tier) => tier.name === name))
      throw errors.unknownName('tier', name, [...tiers.map((tier) => tier.name), 'recompute']);
  }
  for (const name of Object.keys(options.minQualityOfClass ?? {}))
    if (!demand.classes.includes(name)) throw errors.unknownName('class', name, demand.classes);
  if (options.bandwidthShare !== undefined) periodOf(demand, 'A share of bandwidth');
  const problemTiers = problemTiersOf(tiers, options.bandwidthShare);
  const hasParents = demand.parents.some((parent) => parent >= 0);
  const budgets = readBudgets(demand, problemTiers, options);
  const builder = new FormBuilder();
  const { curveOf, allowed } = assignOptions(
    demand,
    problemTiers,
    curves,
    options,
    forbidden,
    hasParents,
    builder,
  );
  for (const { tenant, tier, share } of budgets?.tenantShares ?? [])
    if (share === 0)
      for (let i = 0; i < demand.contexts; i++)
        if (demand.tenantOf[i] === tenant) allowed[i]! &= ~(1 << tier);
  return {
    demand,
    alpha: options.alpha,
    tiers: problemTiers,
    forms: builder.table(),
    curveOf,
    allowed,
    recomputeSeconds: Float64Array.from(demand.tokens, (tokens, i) =>
      recomputeSeconds(model, demand.startTokens[i]!, tokens),
    ),
    hasParents,
    ...(budgets === undefined ? {} : { budgets }),
  };
}
