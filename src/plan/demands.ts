import type { Demands } from '../formats/plan.js';
import type { Constraints } from './constraints.js';

const NAMES = [
  'minQuality',
  'minQualityOfClass',
  'forbidden',
  'bandwidthShare',
  'tenantShares',
  'writtenBytesPerDay',
  'moneyPerMonth',
  'secondsPerMoney',
] as const satisfies readonly (keyof Constraints)[];

/** Constraints as a plan's header has them: nothing that is empty, and as it is read back from JSON. */
export function demandsOf(constraints: Constraints): Demands {
  const entries = NAMES.map((name) => [name, constraints[name]] as const).filter(
    ([, value]) => typeof value !== 'object' || Object.keys(value).length > 0,
  );
  return JSON.parse(JSON.stringify(Object.fromEntries(entries))) as Demands;
}

/** The constraints that a plan's header tells of. */
export function constraintsOf({ writtenBytesPerDay = {}, ...demands }: Demands): Constraints {
  const budgets = Object.entries(writtenBytesPerDay).map(([tier, bytes]) => [
    tier,
    bytes ?? Number.POSITIVE_INFINITY,
  ]);
  return {
    ...(demands as Constraints),
    writtenBytesPerDay: Object.fromEntries(budgets) as Record<string, number>,
  };
}
