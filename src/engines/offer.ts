import type { Tier } from '../formats/tiers.js';
import { canApply, engineCapabilities } from './index.js';

/** What an engine leaves to offer: methods by name, and the tiers it has none of the kind of. */
export interface Offer {
  readonly offered?: (method: string) => boolean;
  readonly forbidden: readonly string[];
}

/** The planner's restriction for an engine; none without a name. @throws EvicpressError on an unknown one. */
export function offerOf(engine: string | undefined, tiers: readonly Tier[]): Offer {
  if (engine === undefined) return { forbidden: [] };
  const capabilities = engineCapabilities(engine);
  return {
    offered: (method) => canApply(capabilities, method),
    forbidden: tiers.filter((tier) => !capabilities.tierKinds.includes(tier.kind)).map((tier) => tier.name),
  };
}
