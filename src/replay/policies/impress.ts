import { tunedHalfLife } from '../half-life.js';
import type { PolicyKind } from '../policy.js';
import { DecayedFrequency } from './lfu.js';

/**
 * IMPRESS (FAST 2025): caches stay whole on every tier and only the important tokens are loaded, which saves
 * loading time and no room. `impress+keydiff@0.5` loads the half that keydiff would keep, at the quality that
 * has; without a method everything is loaded. Its chunks hold important tokens packed together, as the paper
 * reorders them; how much of each chunk is important no log says, so placement goes by frequency alone.
 */
export const impress: PolicyKind = {
  name: 'impress',
  cost: 10,
  storesWhole: true,
  create: (setting) => new DecayedFrequency(setting, tunedHalfLife(setting, DecayedFrequency)),
};
