import type { PrefilledCache } from './compressions/cache.js';
import { WINDOW, windowAttention } from './compressions/snapkv.js';
import { layerOf } from './compressions/token-dropping.js';
import { mean } from './statistics.js';

/** The first tokens, on which attention rests where it has nothing to look for. */
const SINKS = 4;

/**
 * What a prefill shows of a context at no further cost: how its keys lie and where its last tokens look. Means over
 * layers and heads; the kvpress worker computes the same five (python/evicpress/profiling/features.py).
 *
 * - `keyNormVariation`: deviation of the key norms over their mean;
 * - `keyAlikeness`: mean cosine of a key's direction to the mean direction;
 * - `sinkAttention`, `recentAttention`: the share of the last 64 tokens' attention on the first 4 and on themselves;
 * - `attentionEntropy`: entropy of their mean attention to what is before them, over its largest possible value.
 */
export function contextFeatures(cache: PrefilledCache): Record<string, number> {
  const layers = cache.layers.map((_, layer) => ({
    ...keyFeatures(cache, layer),
    ...(cache.tokens - WINDOW > SINKS ? attentionFeatures(cache, layer) : {}),
  }));
  const names = Object.keys(layers[0]!) as (keyof (typeof layers)[0])[];
  return Object.fromEntries(names.map((name) => [name, mean(layers.map((layer) => layer[name]!))]));
}

function keyFeatures({ tokens, kvHeads, headSize, layers }: PrefilledCache, layer: number) {
  const { keys } = layers[layer]!;
  const variations: number[] = [];
  const alikenesses: number[] = [];
  for (let head = 0; head < kvHeads; head++) {
    const norms = new Float64Array(tokens);
    const centre = new Float64Array(headSize);
    for (let token = 0; token < tokens; token++) {
      const at = (head * tokens + token) * headSize;
      let square = 0;
      for (let d = 0; d < headSize; d++) square += keys[at + d]! ** 2;
      norms[token] = Math.sqrt(square);
      for (let d = 0; d < headSize; d++) centre[d]! += keys[at + d]! / norms[token]! / tokens;
    }
    const average = sum(norms) / tokens;
    const variance = sum(norms.map((norm) => (norm - average) ** 2)) / tokens;
    variations.push(Math.sqrt(variance) / average);
    // The mean over tokens of direction · centre is centre · centre.
    alikenesses.push(Math.sqrt(sum(centre.map((value) => value * value))));
  }
  return { keyNormVariation: mean(variations), keyAlikeness: mean(alikenesses) };
}

function attentionFeatures(cache: PrefilledCache, layer: number) {
  const scored = layerOf(cache, layer);
  const heads = scored.queries.length / (WINDOW * cache.headSize);
  const figures = Array.from({ length: heads }, (_, head) => {
    const attention = windowAttention(scored, head, Math.floor((head * cache.kvHeads) / heads));
    const before = sum(attention);
    let entropy = 0;
    for (const weight of attention) if (weight > 0) entropy -= (weight / before) * Math.log(weight / before);
    return {
      sink: sum(attention.subarray(0, SINKS)),
      recent: 1 - before,
      entropy: entropy / Math.log(attention.length),
    };
  });
  return {
    sinkAttention: mean(figures.map(({ sink }) => sink)),
    recentAttention: mean(figures.map(({ recent }) => recent)),
    attentionEntropy: mean(figures.map(({ entropy }) => entropy)),
  };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
