import { groupQuantization } from './group-quantization.js';

/** 8 bits a value: keys per channel, values per token, groups of 64. */
export const int8 = groupQuantization('int8', 8);
