import { formatShare } from '../../../units.js';
import { scorePlan } from '../compare.js';
import type { DriftCheck } from './check.js';
import { requestsSince } from './since.js';

/** How much of the hit share that the plan promised has arrived since it was published, by replaying the log. */
export const hitShare: DriftCheck = {
  name: 'hit-share',
  async check({ plan, state, trace, tiers, model, methods, thresholds }) {
    const { promise } = state;
    if (plan === undefined || promise === null || trace === undefined || promise.hitShare <= 0) return [];
    const since = requestsSince(state, trace);
    if (since < thresholds.enoughRequests) return [];
    const warm = trace.requests - since;
    const seen = scorePlan(plan, { trace, tiers, model, methods, warm }, plan.header.objective.alpha);
    const arrived = seen.hitShare / promise.hitShare;
    return [
      {
        check: 'hit-share',
        subject: `generation ${promise.generation}`,
        value: arrived,
        threshold: thresholds.arrivedHits,
        drifted: arrived < thresholds.arrivedHits,
        evidence: `hits served ${formatShare(seen.hitShare)} of the reusable tokens over ${since} requests since publication, ${formatShare(promise.hitShare)} promised (replayed; drift below ${formatShare(thresholds.arrivedHits)} of it)`,
      },
    ];
  },
};
