import { EvicpressError, errors, printable } from '../errors.js';
import type { ContextRow } from '../formats/contexts.js';
import type { Placement } from '../formats/plan.js';
import type { SegmentDemand } from '../traces/segments.js';
import type { Trace } from '../traces/trace.js';
import { chunkHashes, LMCACHE_CHUNK_TOKENS } from './chunk-hashes.js';

/** A context's chunks under the engine's own names, as a plan's row carries them. */
export type EngineKeys = NonNullable<Placement['keys']>;

/** Turns a prompt into token ids. */
export type Tokenize = (text: string) => Promise<readonly number[]>;

/** Keys per row of a log's segments, where the log's blocks are an engine's chunks; undefined where not. */
export function keysOfSegments(trace: Trace, demand: SegmentDemand): EngineKeys[] | undefined {
  if (trace.engineKeys === undefined) return undefined;
  const { engine, chunkSize } = trace.engineKeys;
  const keys: EngineKeys[] = Array.from({ length: demand.contexts }, () => ({
    engine,
    chunkSize,
    hashes: [],
  }));
  // Blocks are numbered in order of first appearance, so a segment's chunks come in the order of its prefix.
  demand.segmentOfBlock.forEach((row, block) => {
    if (row >= 0) keys[row]!.hashes.push(trace.blockIds[block]!);
  });
  return keys;
}

/**
 * Keys of contexts that carry `keys`, `tokenIds`, or a text that can be tokenized, by context; the tenant is the
 * engine's `cache_salt`. Contexts with none of these, or shorter than a chunk, are left out.
 * @throws EvicpressError on token ids or keys that are not.
 */
export async function keysOfContexts(
  rows: readonly ContextRow[],
  options: { readonly chunkTokens?: number; readonly tokenize?: Tokenize } = {},
): Promise<Map<string, EngineKeys>> {
  const chunkSize = options.chunkTokens ?? LMCACHE_CHUNK_TOKENS;
  const found = new Map<string, EngineKeys>();
  for (const row of rows) {
    const { keys, tokenIds } = row as { keys?: EngineKeys; tokenIds?: unknown };
    if (keys !== undefined) {
      found.set(row.context, keys);
      continue;
    }
    const ids =
      tokenIds === undefined
        ? row.text === undefined
          ? undefined
          : await options.tokenize?.(row.text)
        : checkedIds(tokenIds, row.context);
    if (ids === undefined) continue;
    const hashes = chunkHashes(ids, chunkSize);
    if (hashes.length === 0) continue;
    found.set(row.context, {
      engine: 'lmcache',
      chunkSize,
      ...(row.tenant === undefined ? {} : { salt: row.tenant }),
      hashes,
    });
  }
  return found;
}

function checkedIds(value: unknown, context: string): readonly number[] {
  if (Array.isArray(value) && value.every((id) => typeof id === 'number')) return value;
  throw new EvicpressError(`Context "${printable(context)}": tokenIds must be a list of token ids.`);
}

/**
 * A tokenizer that asks a running engine, by vLLM's `/tokenize`, so that ids are the engine's own.
 * @throws EvicpressError where the engine cannot be reached or does not answer as expected.
 */
export function engineTokenizer(url: string, model: string): Tokenize {
  const endpoint = new URL('/tokenize', url).href;
  return async (prompt) => {
    let response: Response;
    try {
      response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model, prompt }),
        signal: AbortSignal.timeout(60_000),
      });
    } catch (error) {
      throw new EvicpressError(
        `${endpoint}: cannot be reached (${(error as Error).message}). Start the engine, or leave --tokenize out.`,
      );
    }
    const answer: unknown = await response.json().catch(() => undefined);
    const tokens = (answer as { tokens?: unknown } | undefined)?.tokens;
    if (!response.ok || !Array.isArray(tokens)) {
      const said = printable(JSON.stringify(answer) ?? '', 120);
      throw errors.badFile(endpoint, undefined, `answered ${response.status} without tokens: ${said}`);
    }
    return tokens as number[];
  };
}
