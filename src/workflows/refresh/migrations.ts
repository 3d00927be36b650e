/** The version of the state that this program writes. */
export const STATE_VERSION = 2;

/** Step n turns a state of version n + 1 into one of version n + 2. */
const STEPS: readonly ((state: Record<string, unknown>) => Record<string, unknown>)[] = [
  // Version 1 knew the log and the window, and nothing of drift.
  (state) => ({
    ...state,
    inputs: {},
    promise: null,
    tierProbes: { checkedAt: null },
    tierChecks: {},
    tierCorrections: {},
    decidedAtRequest: 0,
  }),
];

/** Brings a parsed state of an older version up to this one; a value that is no state passes as it is. */
export function migrate(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  let state = value as Record<string, unknown>;
  const version = Number(state.version);
  if (!Number.isInteger(version) || version < 1) return value;
  for (let at = version; at < STATE_VERSION; at++) state = { ...STEPS[at - 1]!(state), version: at + 1 };
  return state;
}
