import type { PolicyKind } from '../policy.js';
import { belady } from './belady.js';
import { evicpress } from './evicpress.js';
import { fullPrefill } from './full-prefill.js';
import { lru } from './lru.js';

/** Every policy of the replay. */
export const policies: readonly PolicyKind[] = [fullPrefill, lru, belady, evicpress];
