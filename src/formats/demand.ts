/**
 * What is to be placed, in columns: one row per context, from a contexts file or from a log's segments.
 * Parents come before their children.
 */
export interface Demand {
  readonly contexts: number;
  /** Ids, by row. */
  readonly ids: readonly string[];
  /** Tokens of the context itself. */
  readonly tokens: Float64Array;
  /** Tokens that come before it in its requests. */
  readonly startTokens: Float64Array;
  /** Uncompressed KV bytes. */
  readonly fullBytes: Float64Array;
  /** Expected reuses in the period. */
  readonly accesses: Float64Array;
  /** Mean share of its requests' reusable tokens; 1 outside logs. */
  readonly requestShare: Float64Array;
  /** Row of the parent, −1 for none: a context is useful only while its parent is kept. */
  readonly parents: Int32Array;
  /** Index into classes, −1 for none. */
  readonly classOf: Int32Array;
  readonly classes: readonly string[];
  /** Index into tenants, −1 for none. */
  readonly tenantOf: Int32Array;
  readonly tenants: readonly string[];
  /** Quality floors by row, where any is asked for. */
  readonly minQuality?: Float64Array;
  /** Pins by row. */
  readonly pins?: ReadonlyMap<number, { tier: string; method?: string; compressionRatio?: number }>;
  readonly periodSeconds: number | null;
}

/** Requests per period, Σ accesses · requestShare: what means are divided by. */
export function requestsOf({ accesses, requestShare }: Demand): number {
  return accesses.reduce((sum, f, i) => sum + f * requestShare[i]!, 0);
}
