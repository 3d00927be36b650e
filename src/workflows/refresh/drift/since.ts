import type { Trace } from '../../../traces/trace.js';
import type { RefreshState } from '../state.js';

/** How many of a trace's last requests came after the plan in force was published. */
export function requestsSince(state: RefreshState, trace: Trace): number {
  if (state.promise === null) return 0;
  return Math.min(trace.requests, Math.max(0, state.requests.counted - state.promise.atRequest));
}
