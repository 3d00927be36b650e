import { groupQuantization } from './group-quantization.js';

/** 2 bits a value: keys per channel, values per token, groups of 64. */
export const int2 = groupQuantization('int2', 2);
