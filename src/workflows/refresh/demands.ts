import { isDeepStrictEqual } from 'node:util';
import type { PlanHeader } from '../../formats/plan.js';
import type { Constraints } from '../../plan/constraints.js';

/** What plans must keep to, as a plan's header says it: nothing that is empty. */
export type Demands = Readonly<Record<string, unknown>>;

/** The demands of a turn, for the header of its plan. */
export function demandsOf(constraints: Constraints): Demands {
  const entries = Object.entries(constraints).filter(
    ([, value]) => typeof value !== 'object' || value === null || Object.keys(value).length > 0,
  );
  // As it is read back: numbers beyond JSON and fields left out included.
  return JSON.parse(JSON.stringify(Object.fromEntries(entries))) as Demands;
}

/** Whether a plan was made to keep to other demands; plans of other commands do not say, and count as unbound. */
export function keepsToOther(header: PlanHeader, demands: Demands): boolean {
  const { demands: kept = {} } = header as PlanHeader & { demands?: unknown };
  return !isDeepStrictEqual(kept, demands);
}
