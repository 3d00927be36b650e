import { EvicpressError } from '../../errors.js';
import { type ScoredLayer, tokenDropping } from './token-dropping.js';

/** The observation window: the last tokens, whose attention votes. The paper's and kvpress's default. */
export const WINDOW = 64;
/** Votes are averaged over this many neighbours, so that clusters of tokens stay together. */
const KERNEL = 5;

/**
 * SnapKV: keeps the tokens to which the last 64 tokens of the context attend, and those 64.
 * Li et al., arXiv 2404.14469; same as SnapKVPress of kvpress 0.5.5.
 */
export const snapkv = tokenDropping('snapkv', snapkvScores);

/**
 * The mean attention of the window's queries, smoothed and averaged over the query heads of each key head;
 * the window itself scores above all else.
 * @throws EvicpressError when the context is not longer than the window.
 */
export function snapkvScores(layer: ScoredLayer): Float64Array {
  const { tokens, kvHeads, headSize, queries } = layer;
  if (tokens <= WINDOW) {
    throw new EvicpressError(`snapkv needs a context of more than ${WINDOW} tokens; this one has ${tokens}.`);
  }
  const heads = queries.length / (WINDOW * headSize);
  const groups = heads / kvHeads;
  const seen = tokens - WINDOW;
  const scores = new Float64Array(kvHeads * tokens);
  let highest = Number.NEGATIVE_INFINITY;
  for (let head = 0; head < heads; head++) {
    const kvHead = Math.floor(head / groups);
    const votes = windowAttention(layer, head, kvHead);
    for (let token = 0; token < seen; token++) {
      let sum = 0;
      const last = Math.min(token + (KERNEL >> 1), seen - 1);
      for (let i = Math.max(token - (KERNEL >> 1), 0); i <= last; i++) sum += votes[i]!;
      scores[kvHead * tokens + token]! += sum / KERNEL / groups;
    }
  }
  for (const score of scores) highest = Math.max(highest, score);
  for (let head = 0; head < kvHeads; head++)
    scores.fill(highest + 1, head * tokens + seen, (head + 1) * tokens);
  return scores;
}

/** Mean over the window of the attention that one query head pays to every token before the window. */
export function windowAttention(
  { tokens, headSize, keys, queries }: ScoredLayer,
  head: number,
  kvHead: number,
): Float64Array {
  const seen = tokens - WINDOW;
  const scale = 1 / Math.sqrt(headSize);
  const votes = new Float64Array(seen);
  const weights = new Float64Array(tokens);
  for (let i = 0; i < WINDOW; i++) {
    const query = (head * WINDOW + i) * headSize;
    const visible = seen + i + 1;
    let largest = Number.NEGATIVE_INFINITY;
    for (let token = 0; token < visible; token++) {
      const key = (kvHead * tokens + token) * headSize;
      // Four sums at once: one alone waits for every addition before it starts the next.
      let a = 0;
      let b = 0;
      let c = 0;
      let e = 0;
      for (let d = 0; d < headSize; d += 4) {
        a += queries[query + d]! * keys[key + d]!;
        b += queries[query + d + 1]! * keys[key + d + 1]!;
        c += queries[query + d + 2]! * keys[key + d + 2]!;
        e += queries[query + d + 3]! * keys[key + d + 3]!;
      }
      const weight = (a + b + c + e) * scale;
      weights[token] = weight;
      if (weight > largest) largest = weight;
    }
    let sum = 0;
    for (let token = 0; token < visible; token++) {
      weights[token] = Math.exp(weights[token]! - largest);
      sum += weights[token]!;
    }
    for (let token = 0; token < seen; token++) votes[token]! += weights[token]! / sum / WINDOW;
  }
  return votes;
}
