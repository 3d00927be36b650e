/** Keys and values of one layer, each [kvHeads, tokens, headSize], row after row. */
export interface KvLayer {
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

/**
 * A context's KV cache. The numbers are bfloat16 numbers, the model's own type, held in 32-bit floats because
 * JavaScript computes with those: a value counts as two bytes.
 */
export interface KvCache {
  readonly tokens: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly layers: readonly KvLayer[];
}

/** The cache as prefill leaves it, with what attention-based methods look at. */
export interface PrefilledCache extends KvCache {
  /** Per layer the rotated queries of the last tokens, [heads, window, headSize]. */
  readonly queries: readonly Float32Array[];
}

/** What a compression stores in place of the cache. */
export interface CompressedCache {
  /** Bytes really stored, scales and positions included where the method needs them to decompress. */
  readonly storedBytes: number;
  /** Seconds of work done for an earlier ratio of the same cache and not repeated; part of the cost of compressing. */
  readonly reusedSeconds?: number;
  /** The cache that attention will see. */
  decompress(): KvCache;
}

/** A lossy compression of a KV cache. */
export interface Compression {
  readonly name: string;
  /** The one ratio of a quantizer, by its bits alone; a token dropper takes any ratio. */
  readonly fixedRatio?: number;
  /** A combination removes at least what its quantizer removes; 0 where it is not set. */
  readonly smallestRatio?: number;
  /**
   * @param compressionRatio fraction to remove, 0 ≤ ratio < 1; ignored where `fixedRatio` is set.
   * @throws EvicpressError when the context is too short for the method.
   */
  compress(cache: PrefilledCache, compressionRatio: number): CompressedCache;
}

/** Bytes of a bfloat16 number, the type the model's cache has. */
export const VALUE_BYTES = 2;

/** Bytes of the uncompressed cache. */
export function fullBytes(cache: KvCache): number {
  return cache.layers.length * 2 * cache.kvHeads * cache.tokens * cache.headSize * VALUE_BYTES;
}
