import { prefillSeconds } from '../cost/prefill.js';
import type { Model } from '../formats/model.js';
import { type Placement, type Plan, RECOMPUTE } from '../formats/plan.js';
import type { Tier } from '../formats/tiers.js';
import type { EngineTarget } from './engine.js';
import { canApply } from './index.js';
import { instanceMethod } from './instance-method.js';
import { plannedTiers } from './places.js';

/** How much of a plan an engine carries out. */
export interface CarriedOut {
  readonly engine: string;
  /** Contexts the plan keeps somewhere. */
  readonly contexts: number;
  /** Of them, those whose tier and method the engine has. */
  readonly possible: number;
  /** Shares of the accesses to kept contexts. */
  readonly shareOfAccesses: number;
  /** What stands in the way, with the contexts it concerns. */
  readonly obstacles: readonly { readonly what: string; readonly contexts: number }[];
  /**
   * Utility per period (seconds) lost where the contexts it cannot carry out are recomputed instead, estimated
   * from the plan's own figures; null without a model, whose prefill speed it needs.
   */
  readonly utilityLost: number | null;
  /** Whether it follows placements at all; else it takes sizes and decides by itself. */
  readonly perContext: boolean;
}

/** Counts what of a plan an engine can carry out, and what the rest costs. */
export function carriedOut(
  plan: Plan,
  target: EngineTarget,
  tiers: readonly Tier[],
  model?: Model,
): CarriedOut {
  const { capabilities } = target;
  const kinds = new Map(plannedTiers(plan, tiers).map((tier) => [tier.name, tier.kind]));
  const common = instanceMethod(plan, capabilities.instanceMethods);
  const obstacles = new Map<string, number>();
  let [contexts, possible, accesses, possibleAccesses, lost] = [0, 0, 0, 0, 0];
  for (const row of plan.rows) {
    if (row.tier === RECOMPUTE) continue;
    contexts++;
    accesses += row.accesses;
    const kind = kinds.get(row.tier) ?? 'file';
    const obstacle = !capabilities.tierKinds.includes(kind)
      ? `no tier of kind ${kind}`
      : !canApply(capabilities, row.method) && row.method !== common
        ? capabilities.instanceMethods.includes(row.method)
          ? `${row.method} only for everything at once`
          : `no ${row.method}`
        : undefined;
    if (obstacle === undefined) {
      possible++;
      possibleAccesses += row.accesses;
    } else {
      obstacles.set(obstacle, (obstacles.get(obstacle) ?? 0) + 1);
      if (model !== undefined) lost += lossOf(row, plan.header.objective.alpha, model);
    }
  }
  return {
    engine: target.name,
    contexts,
    possible,
    shareOfAccesses: accesses === 0 ? 1 : possibleAccesses / accesses,
    obstacles: [...obstacles].map(([what, n]) => ({ what, contexts: n })),
    utilityLost: model === undefined ? null : lost,
    perContext: capabilities.perContext,
  };
}

/**
 * What a context loses when it is recomputed: accesses · (alpha·share·(quality − 1) − ttft + prefill). Tokens are
 * taken from the stored bytes and the nominal ratio, and counted from the start of the prompt.
 */
function lossOf(row: Placement, alpha: number, model: Model): number {
  const tokens = row.storedBytes / (1 - row.compressionRatio) / model.kvBytesPerToken;
  const gain =
    alpha * (row.requestShare ?? 1) * (row.quality - 1) - row.ttftSeconds + prefillSeconds(model, tokens);
  return Math.max(0, row.accesses * gain);
}
