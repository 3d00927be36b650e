import type { PolicyKind } from '../policy.js';
import { adaptcache } from './adaptcache.js';
import { arc } from './arc.js';
import { belady } from './belady.js';
import { evicpress } from './evicpress.js';
import { evicpressGreedy } from './evicpress-greedy.js';
import { fullPrefill } from './full-prefill.js';
import { gdsf } from './gdsf.js';
import { impress } from './impress.js';
import { lfu } from './lfu.js';
import { lhd } from './lhd.js';
import { lru } from './lru.js';
import { s3Fifo } from './s3-fifo.js';

/** Every policy of the replay. */
export const policies: readonly PolicyKind[] = [
  fullPrefill,
  lru,
  lfu,
  s3Fifo,
  arc,
  gdsf,
  lhd,
  impress,
  adaptcache,
  evicpressGreedy,
  belady,
  evicpress,
];
