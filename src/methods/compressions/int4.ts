import { groupQuantization } from './group-quantization.js';

/** 4 bits a value: keys per channel, values per token, groups of 64. */
export const int4 = groupQuantization('int4', 4);
