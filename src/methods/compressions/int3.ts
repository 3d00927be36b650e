import { groupQuantization } from './group-quantization.js';

/** 3 bits a value: keys per channel, values per token, groups of 64. */
export const int3 = groupQuantization('int3', 3);
