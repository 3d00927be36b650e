import type { PolicyKind } from '../policy.js';

/** Keeps nothing: every prompt is prefilled from its first token. */
export const fullPrefill: PolicyKind = {
  name: 'full-prefill',
  create: () => ({ serve: () => undefined }),
};
