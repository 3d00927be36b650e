import type { Compression, KvCache, KvLayer, PrefilledCache } from './cache.js';
import { fullBytes } from './cache.js';

/** One layer as a scorer sees it. */
export interface ScoredLayer extends KvLayer {
  readonly tokens: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** Rotated queries of the last tokens, [heads, window, headSize]. */
  readonly queries: Float32Array;
}

/** Importance of every token for every head, [kvHeads, tokens]: the lowest are dropped. */
export type Scorer = (layer: ScoredLayer) => Float64Array;

/**
 * A compression that drops tokens: per layer and head it keeps the tokens with the highest scores, as kvpress's
 * ScorerPress does. Kept keys keep their rotary positions, so nothing but keys and values is stored. The scores
 * do not depend on the ratio, so a cache is scored once for all of them.
 */
export function tokenDropping(name: string, score: Scorer): Compression {
  const scored = new WeakMap<PrefilledCache, { scores: readonly Float64Array[]; seconds: number }>();
  return {
    name,
    compress(cache, compressionRatio) {
      const kept = keptTokens(cache.tokens, compressionRatio);
      if (kept === cache.tokens) return { storedBytes: fullBytes(cache), decompress: () => cache };
      const known = scored.get(cache);
      const startedAt = performance.now();
      const scores = known?.scores ?? cache.layers.map((_, index) => score(layerOf(cache, index)));
      if (known === undefined) scored.set(cache, { scores, seconds: (performance.now() - startedAt) / 1000 });
      const layers = cache.layers.map((_, index) =>
        gather(layerOf(cache, index), selectTokens(scores[index]!, cache.tokens, kept)),
      );
      const result: KvCache = { ...shapeOf(cache), tokens: kept, layers };
      return { storedBytes: fullBytes(result), reusedSeconds: known?.seconds ?? 0, decompress: () => result };
    },
  };
}

/** How many of `tokens` stay: the integer part of tokens · (1 − ratio), at least one (kvpress `compute_n_kept`). */
export function keptTokens(tokens: number, compressionRatio: number): number {
  return Math.max(1, Math.trunc(tokens * (1 - compressionRatio)));
}

/**
 * The positions of the `kept` highest scores of every head, ascending, [kvHeads, kept]. Equal scores: the
 * earlier token stays.
 */
export function selectTokens(scores: Float64Array, tokens: number, kept: number): Int32Array {
  const heads = scores.length / tokens;
  const selected = new Int32Array(heads * kept);
  for (let head = 0; head < heads; head++) {
    const own = scores.subarray(head * tokens, (head + 1) * tokens);
    const threshold = own.slice().sort()[tokens - kept]!;
    let above = 0;
    for (const score of own) if (score > threshold) above++;
    let ties = kept - above;
    let to = head * kept;
    for (let token = 0; token < tokens; token++) {
      if (own[token]! > threshold || (own[token] === threshold && ties-- > 0)) selected[to++] = token;
    }
  }
  return selected;
}

/** Layer `index` of a cache, for a scorer. */
export function layerOf(cache: PrefilledCache, index: number): ScoredLayer {
  return { ...shapeOf(cache), ...cache.layers[index]!, queries: cache.queries[index]! };
}

function shapeOf({ tokens, kvHeads, headSize }: KvCache) {
  return { tokens, kvHeads, headSize };
}

function gather(layer: ScoredLayer, selected: Int32Array): KvLayer {
  const { tokens, kvHeads, headSize } = layer;
  const kept = selected.length / kvHeads;
  const pick = (from: Float32Array): Float32Array => {
    const to = new Float32Array(selected.length * headSize);
    for (let i = 0; i < selected.length; i++) {
      const row = Math.floor(i / kept) * tokens + selected[i]!;
      to.set(from.subarray(row * headSize, (row + 1) * headSize), i * headSize);
    }
    return to;
  };
  return { keys: pick(layer.keys), values: pick(layer.values) };
}
