import { optionUtility } from '../../cost/utility.js';
import { GreedyPlacement, type PlacementUtility } from '../greedy-placement.js';
import type { PolicyKind } from '../policy.js';

/**
 * AdaptCache (arXiv 2509.00105): greedy placement by frequency · (alpha · quality − bytes / bandwidth), quality
 * from an estimate per kind of context. Recomputing is no option of its own: a context is given up where nothing
 * else is left to do, and is worth nothing then.
 */
export const adaptcache: PolicyKind = {
  name: 'adaptcache',
  cost: 10,
  create(setting) {
    const { alpha } = setting.objective;
    const secondsPerByte = setting.tiers.map((tier) => 1 / tier.read.bytesPerSecond);
    const utility: PlacementUtility = {
      kept: ({ share, quality, storedBytes }, tier) =>
        optionUtility(1, alpha, share, quality, storedBytes * secondsPerByte[tier]!),
      absent: () => 0,
      recomputes: false,
    };
    return new GreedyPlacement(setting, utility, false);
  },
};
