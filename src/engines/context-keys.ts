import { EvicpressError, printable } from '../errors.js';
import type { ContextRow } from '../formats/contexts.js';
import type { Placement } from '../formats/plan.js';
import { askJson } from '../openai-client.js';
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
  return async (prompt) => {
    const answer = (await askJson(url, '/tokenize', { body: { model, prompt } })) as { tokens?: unknown };
    if (Array.isArray(answer?.tokens)) return answer.tokens as number[];
    throw new EvicpressError(
      `${printable(url)}/tokenize: no tokens in what it answered (${printable(JSON.stringify(answer), 120)}). Is vLLM serving there?`,
    );
  };
}
