import { prefillSeconds } from '../cost/prefill.js';
import type { Model } from '../formats/model.js';
import { RECOMPUTE } from '../formats/names.js';
import type { Placement, Plan, PlanHeader } from '../formats/plan.js';
import type { Tier } from '../formats/tiers.js';
import type { EngineTarget } from './engine.js';
import { canApply } from './index.js';
import { instanceMethod } from './instance-method.js';
import { type Place, placesOf, plannedTiers } from './places.js';

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

/** How much of a plan's places an engine has, whatever it does with them. */
export function coverageOf(
  header: PlanHeader,
  places: readonly Place[],
  target: EngineTarget,
  tiers: readonly Tier[],
): Pick<CarriedOut, 'contexts' | 'possible' | 'shareOfAccesses' | 'obstacles'> {
  const kinds = new Map(plannedTiers({ header }, tiers).map((tier) => [tier.name, tier.kind]));
  const common = instanceMethod(places, target.capabilities.instanceMethods);
  const obstacles = new Map<string, number>();
  let [contexts, possible, accesses, possibleAccesses] = [0, 0, 0, 0];
  for (const place of places) {
    contexts += place.contexts;
    accesses += place.accesses;
    const obstacle = obstacleTo(place, kinds.get(place.tier) ?? 'file', target, common);
    if (obstacle !== undefined) {
      obstacles.set(obstacle, (obstacles.get(obstacle) ?? 0) + place.contexts);
    } else {
      possible += place.contexts;
      possibleAccesses += place.accesses;
    }
  }
  return {
    contexts,
    possible,
    shareOfAccesses: accesses === 0 ? 1 : possibleAccesses / accesses,
    obstacles: [...obstacles].map(([what, n]) => ({ what, contexts: n })),
  };
}

/** Counts what of a plan an engine can carry out, and what the rest costs. */
export function carriedOut(
  plan: Plan,
  target: EngineTarget,
  tiers: readonly Tier[],
  model?: Model,
): CarriedOut {
  const places = placesOf(plan);
  const kinds = new Map(plannedTiers(plan, tiers).map((tier) => [tier.name, tier.kind]));
  const common = instanceMethod(places, target.capabilities.instanceMethods);
  const lost = (row: Placement) =>
    row.tier !== RECOMPUTE && obstacleTo(row, kinds.get(row.tier) ?? 'file', target, common) !== undefined;
  return {
    engine: target.name,
    ...coverageOf(plan.header, places, target, tiers),
    utilityLost:
      model === undefined
        ? null
        : plan.rows
            .filter(lost)
            .reduce((sum, row) => sum + lossOf(row, plan.header.objective.alpha, model), 0),
    perContext: target.capabilities.perContext,
  };
}

/** Why an engine cannot keep what is in this place; undefined where it can. */
function obstacleTo(
  { method }: { readonly method: string },
  kind: string,
  { capabilities }: EngineTarget,
  common: string | undefined,
): string | undefined {
  if (!capabilities.tierKinds.includes(kind)) return `no tier of kind ${kind}`;
  if (canApply(capabilities, method) || method === common) return undefined;
  return capabilities.instanceMethods.includes(method)
    ? `${method} only for everything at once`
    : `no ${method}`;
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
