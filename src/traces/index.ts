import { azure, burstGpt } from './arrivals-csv.js';
import { contextRows } from './context-rows.js';
import { documents } from './documents.js';
import type { TraceFormat } from './format.js';
import { lmcache } from './lmcache.js';
import { mooncake } from './mooncake.js';
import { openaiChat } from './openai-chat.js';
import { qwenBailian } from './qwen-bailian.js';

/** Every request-log format, in the order in which a log is tried for recognition. */
export const formats: readonly TraceFormat[] = [
  qwenBailian,
  mooncake,
  documents,
  lmcache,
  contextRows,
  openaiChat,
  azure,
  burstGpt,
];
