import { isDeepStrictEqual } from 'node:util';
import type { Demands, PlanHeader } from '../../formats/plan.js';

/** Whether a plan was made to keep to other demands; one that does not say counts as unbound. */
export function keepsToOther({ demands: kept = {} }: PlanHeader, demands: Demands): boolean {
  return !isDeepStrictEqual(kept, demands);
}
