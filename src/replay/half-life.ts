import type { Policy, PolicySetting } from './policy.js';
import { prefixTokens } from './prefix.js';

/** Half-lives to choose from, in requests: from the last few turns to the whole log. */
export const HALF_LIVES = [10, 30, 100, 300, 1000, 3000, 10_000, Number.POSITIVE_INFINITY];
/** With less history than this nothing can be told apart. */
const LEAST_HISTORY = 100;
const WITHOUT_HISTORY = 1000;
/** Block accesses of the history that the choice looks at, at most: its end. */
const MOST_ACCESSES = 2_000_000;

/**
 * The half-life with which a policy would have served most tokens of the second half of the history, after
 * warming on the first.
 */
export function tunedHalfLife(
  setting: PolicySetting,
  kind: new (setting: PolicySetting, halfLife: number) => Policy,
): number {
  const { trace, history, store } = setting;
  if (history < LEAST_HISTORY) return WITHOUT_HISTORY;
  let first = 0;
  while (trace.blockOffsets[history]! - trace.blockOffsets[first]! > MOST_ACCESSES) first++;
  let best = WITHOUT_HISTORY;
  let mostTokens = -1;
  for (const halfLife of HALF_LIVES) {
    const shadow = store.emptyCopy();
    const policy = new kind({ ...setting, store: shadow }, halfLife);
    let tokens = 0;
    for (let request = first; request < history; request++) {
      if (2 * request >= first + history) tokens += prefixTokens(trace, shadow.tierOf, request);
      policy.serve(request);
    }
    if (tokens > mostTokens) {
      best = halfLife;
      mostTokens = tokens;
    }
  }
  return best;
}
