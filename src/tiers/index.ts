import { dram } from './dram.js';
import { engine } from './engine.js';
import { file } from './file.js';
import { gpu } from './gpu.js';
import type { BesideKind, TierKind } from './kind.js';
import { lmcache } from './lmcache.js';
import { redis } from './redis.js';
import { s3 } from './s3.js';

/** Every kind of tier that can be measured, fast to slow. */
export const tierKinds: readonly TierKind[] = [dram, file, redis, s3];

/** What belongs in the profile beside the tiers. */
export const besideKinds: readonly BesideKind[] = [gpu, engine, lmcache];
