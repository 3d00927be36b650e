import { type ScoredLayer, tokenDropping } from './token-dropping.js';

/**
 * Key norm: drops the tokens whose keys are longest, because attention tends to pass those by.
 * Devoto et al., arXiv 2406.11430; same as KnormPress of kvpress 0.5.5.
 */
export const knorm = tokenDropping('knorm', knormScores);

/** Minus the length of every key. */
export function knormScores({ keys, headSize }: ScoredLayer): Float64Array {
  const scores = new Float64Array(keys.length / headSize);
  for (let row = 0; row < scores.length; row++) {
    let sum = 0;
    for (let i = row * headSize; i < (row + 1) * headSize; i++) sum += keys[i]! * keys[i]!;
    scores[row] = -Math.sqrt(sum);
  }
  return scores;
}
