import type { TraceFormat } from './format.js';
import { lmcache } from './lmcache.js';
import { mooncake } from './mooncake.js';

/** Every request-log format, in the order in which a log is tried for recognition. */
export const formats: readonly TraceFormat[] = [mooncake, lmcache];
