import { type Plan, RECOMPUTE, UNCOMPRESSED } from '../formats/plan.js';

/**
 * The method an engine may use for everything it caches: the one that every kept context of the plan has,
 * where the engine knows it. Where the plan mixes methods there is none: a setting for the whole instance would
 * compress contexts the plan keeps whole.
 */
export function instanceMethod(plan: Plan, known: readonly string[]): string | undefined {
  let method: string | undefined;
  for (const row of plan.rows) {
    if (row.tier === RECOMPUTE) continue;
    if (row.method === UNCOMPRESSED || (method !== undefined && row.method !== method)) return undefined;
    method = row.method;
  }
  return method !== undefined && known.includes(method) ? method : undefined;
}
