import { planRowOfBlocks, UNPLANNED } from '../../../replay/plan-levels.js';
import { formatShare } from '../../../units.js';
import type { DriftCheck } from './check.js';
import { requestsSince } from './since.js';

/** Share of the reused tokens since publication that the plan has no row for: what its rules had to decide. */
export const unseen: DriftCheck = {
  name: 'unseen',
  async check({ plan, state, trace, thresholds }) {
    if (plan === undefined || trace === undefined) return [];
    const since = requestsSince(state, trace);
    if (since < thresholds.enoughRequests) return [];
    const { blocks, blockOffsets, tokensOfBlock, requests } = trace;
    const rowOf = planRowOfBlocks(trace, plan.rows);
    const seen = new Uint8Array(tokensOfBlock.length);
    let reused = 0;
    let unplanned = 0;
    for (let r = 0; r < requests; r++) {
      for (let k = blockOffsets[r]!; k < blockOffsets[r + 1]!; k++) {
        const block = blocks[k]!;
        if (seen[block] === 1 && r >= requests - since) {
          reused += tokensOfBlock[block]!;
          if (rowOf[block] === UNPLANNED) unplanned += tokensOfBlock[block]!;
        }
        seen[block] = 1;
      }
    }
    if (reused === 0) return [];
    const share = unplanned / reused;
    return [
      {
        check: 'unseen',
        subject: `generation ${plan.header.generation}`,
        value: share,
        threshold: thresholds.unseen,
        drifted: share > thresholds.unseen,
        evidence: `${formatShare(share)} of the tokens reused over ${since} requests since publication belong to nothing the plan knows (drift above ${formatShare(thresholds.unseen)})`,
      },
    ];
  },
};
