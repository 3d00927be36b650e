import { EvicpressError } from '../errors.js';
import { formatBytes } from '../units.js';
import type { Problem } from './problem.js';

/** The message where no plan was found that keeps every limit. */
export function infeasiblePlan(problem: Problem): EvicpressError {
  const tiers = problem.tiers.map((tier) => `${tier.name} ${formatBytes(tier.capacityBytes)}`).join(', ');
  return new EvicpressError(
    `No plan keeps every limit: what must be kept does not fit into ${tiers}. Allow recompute, loosen pins or quality floors, or raise a capacity.`,
  );
}
