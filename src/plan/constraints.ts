import type { BudgetOptions } from './budgets.js';
import type { Demand } from './demand.js';

/** What beyond the measurements shapes the problem. */
export interface ProblemOptions extends Constraints {
  readonly alpha: number;
}

/** What a plan must keep to beyond capacities. */
export interface Constraints extends BudgetOptions {
  /** A floor for every context; a context's own floor may be higher. */
  readonly minQuality?: number;
  /** Floors for the contexts of a class. */
  readonly minQualityOfClass?: Readonly<Record<string, number>>;
  /** Names of tiers (or `recompute`) that no context may use. */
  readonly forbidden?: readonly string[];
  /** Share of each tier's bandwidth that loads may use, by tier name or for all. */
  readonly bandwidthShare?: number;
}

/** The constraints that a demand knows the tenants and classes of: a recent part of a log need not have them all. */
export function knownConstraints(constraints: Constraints, demand: Demand): Constraints {
  const { tenantShares = [], minQualityOfClass = {} } = constraints;
  return {
    ...constraints,
    tenantShares: tenantShares.filter(({ tenant }) => demand.tenants.includes(tenant)),
    minQualityOfClass: Object.fromEntries(
      Object.entries(minQualityOfClass).filter(([name]) => demand.classes.includes(name)),
    ),
  };
}
