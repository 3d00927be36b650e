import { segmentLoadSeconds } from '../../cost/transfer.js';
import { optionUtility } from '../../cost/utility.js';
import { GreedyPlacement, type PlacementUtility } from '../greedy-placement.js';
import type { PolicyKind } from '../policy.js';

/**
 * EvicPress as published (arXiv 2512.14946 §3): greedy placement by frequency · (alpha · quality − TTFT), where
 * a context may also be recomputed at quality 1; every now and then all contexts are placed anew with the
 * frequencies of the time.
 */
export const evicpressGreedy: PolicyKind = {
  name: 'evicpress-greedy',
  cost: 10,
  create(setting) {
    const { alpha } = setting.objective;
    const { tiers } = setting;
    const utility: PlacementUtility = {
      kept: ({ share, quality, storedBytes, decompressSeconds }, tier) =>
        optionUtility(
          1,
          alpha,
          share,
          quality,
          segmentLoadSeconds(tiers[tier]!.read, storedBytes, share) + decompressSeconds,
        ),
      absent: ({ share, recomputeSeconds }) => optionUtility(1, alpha, share, 1, recomputeSeconds),
      recomputes: true,
    };
    return new GreedyPlacement(setting, utility, true);
  },
};
