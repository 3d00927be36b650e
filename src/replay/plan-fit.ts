import { RECOMPUTE } from '../formats/names.js';
import type { Placement, Plan } from '../formats/plan.js';
import { levelOfRow } from './plan-levels.js';
import type { ReplaySetting } from './simulator.js';

/** How much of a plan a replay can follow. */
export interface PlanFit {
  /** Contexts of the plan, and how many of them the log has. */
  readonly contexts: number;
  readonly contextsInLog: number;
  /** The model of the plan, where it is not the one that is replayed. */
  readonly otherModel?: string;
  /** Placements in tiers that the replay does not have. */
  readonly elsewhere: readonly Placement[];
  /** Placements in forms that the compression does not know: they are stored whole. */
  readonly unknownForms: readonly Placement[];
}

/** Compares a plan with what it is to be replayed on. */
export function planFit(
  { header, rows }: Plan,
  { trace, model, tiers, compression }: Pick<ReplaySetting, 'trace' | 'model' | 'tiers' | 'compression'>,
): PlanFit {
  const absent = new Set(rows.map(({ context }) => context));
  for (const id of trace.blockIds) absent.delete(id);
  const tierNames = new Set([RECOMPUTE, ...tiers.map((tier) => tier.name)]);
  return {
    contexts: rows.length,
    contextsInLog: rows.length - absent.size,
    ...(header.model !== null && header.model !== model.name && { otherModel: header.model }),
    elsewhere: rows.filter(({ tier }) => !tierNames.has(tier)),
    unknownForms: rows.filter((row) => levelOfRow(compression, row) === -1),
  };
}
