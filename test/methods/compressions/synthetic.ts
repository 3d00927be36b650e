import type { PrefilledCache } from '../../../src/methods/compressions/cache.js';

/** A small cache of reproducible numbers; every value of `values` also tells its token: token + channel / 1000. */
export function syntheticCache({
  tokens = 200,
  layers = 2,
  kvHeads = 2,
  headSize = 16,
  heads = 4,
} = {}): PrefilledCache {
  const random = mulberry(tokens * 31 + headSize);
  const numbers = (count: number) => Float32Array.from({ length: count }, () => random() * 4 - 2);
  return {
    tokens,
    kvHeads,
    headSize,
    layers: Array.from({ length: layers }, () => ({
      keys: numbers(kvHeads * tokens * headSize),
      values: Float32Array.from(
        { length: kvHeads * tokens * headSize },
        (_, i) => (Math.floor(i / headSize) % tokens) + (i % headSize) / 1000,
      ),
    })),
    queries: Array.from({ length: layers }, () => numbers(heads * Math.min(64, tokens) * headSize)),
  };
}

/** Pseudo-random numbers in [0, 1) from a seed. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
