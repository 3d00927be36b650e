import { type ScoredLayer, tokenDropping } from './token-dropping.js';

/** Lengths below this count as this, as in PyTorch's cosine similarity. */
const EPSILON = 1e-8;

/**
 * KeyDiff: drops the tokens whose keys point where the average key points, and keeps the distinctive ones.
 * Park et al., arXiv 2504.15364, over the whole context at once; same as KeyDiffPress of kvpress 0.5.5.
 */
export const keydiff = tokenDropping('keydiff', keydiffScores);

/** Minus the cosine between every key and the mean of its head's normalised keys. */
export function keydiffScores({ keys, tokens, kvHeads, headSize }: ScoredLayer): Float64Array {
  const scores = new Float64Array(kvHeads * tokens);
  const lengths = new Float64Array(tokens);
  for (let head = 0; head < kvHeads; head++) {
    const start = head * tokens * headSize;
    const anchor = new Float64Array(headSize);
    for (let token = 0; token < tokens; token++) {
      const row = start + token * headSize;
      let sum = 0;
      for (let i = 0; i < headSize; i++) sum += keys[row + i]! * keys[row + i]!;
      const length = Math.max(Math.sqrt(sum), EPSILON);
      lengths[token] = length;
      for (let i = 0; i < headSize; i++) anchor[i]! += keys[row + i]! / length / tokens;
    }
    const anchorLength = Math.max(Math.hypot(...anchor), EPSILON);
    for (let token = 0; token < tokens; token++) {
      const row = start + token * headSize;
      let product = 0;
      for (let i = 0; i < headSize; i++) product += keys[row + i]! * anchor[i]!;
      scores[head * tokens + token] = -product / lengths[token]! / anchorLength;
    }
  }
  return scores;
}
