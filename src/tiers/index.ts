import { dram } from './dram.js';
import { file } from './file.js';
import type { TierKind } from './kind.js';
import { redis } from './redis.js';
import { s3 } from './s3.js';

/** Every kind of tier that can be measured, fast to slow. */
export const tierKinds: readonly TierKind[] = [dram, file, redis, s3];
