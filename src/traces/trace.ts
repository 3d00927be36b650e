import { type IdColumns, idTexts } from './ids.js';

/** How a log's requests reuse cached content. */
export type Reuse = 'prefix' | 'documents';

/** An engine's names for its chunks, which mean something to an engine of the same settings only. */
export interface EngineKeySpace {
  readonly engine: string;
  /** Tokens per chunk. */
  readonly chunkSize: number;
  /** The model, as the engine calls it, where its log says so. */
  readonly model?: string;
  /** Types and shapes of a chunk's tensors, and what they make per token on one rank. */
  readonly layout?: string;
  readonly bytesPerToken?: number;
}

/**
 * A request log in columns. Blocks have dense ids in order of first appearance, so that every later stage
 * indexes typed arrays; `blockIds` gives the log's own ids back.
 *
 * Layout: request r's blocks are `blocks[blockOffsets[r] .. blockOffsets[r + 1])`, head first. With `reuse:
 * 'prefix'` an id stands for its whole prefix (its parent is the block before it); with 'documents' each
 * block is one document, reusable in any position.
 */
export interface Trace {
  readonly reuse: Reuse;
  /** Where the block ids are the keys of an engine. */
  readonly engineKeys?: EngineKeySpace | undefined;
  readonly requests: number;
  /** Seconds since the log's first request, ascending. */
  readonly timestampSeconds: Float64Array;
  readonly inputTokens: Int32Array;
  readonly outputTokens: Int32Array;
  /** Length requests + 1. */
  readonly blockOffsets: Float64Array;
  readonly blocks: Int32Array;
  /** Tokens of each distinct block: the block size, or the document's length. */
  readonly tokensOfBlock: Int32Array;
  /** Tokens of a full block; 0 for documents. */
  readonly blockTokens: number;
  /** The log's own ids of the distinct blocks, as they were read. */
  readonly ids: IdColumns;
  /** The same as text; made when first asked for: most replays never look at them. */
  readonly blockIds: readonly string[];
  /** Per request, an index into the dictionary; −1 where the log does not say. */
  readonly classOf: Int32Array;
  readonly sessionOf: Int32Array;
  readonly tenantOf: Int32Array;
  readonly classes: readonly string[];
  readonly sessions: readonly string[];
  readonly tenants: readonly string[];
  /** What a reader should know: lines sorted, lines skipped. */
  readonly warnings: readonly string[];
}

/** A trace whose `blockIds` are made when first asked for. */
export function withBlockIds(columns: Omit<Trace, 'blockIds'>): Trace {
  let texts: readonly string[] | undefined;
  return Object.defineProperty({ ...columns } as Trace, 'blockIds', {
    enumerable: true,
    get: () => (texts ??= idTexts(columns.ids)),
  });
}

/** The fields of a trace that are there already; asking for `blockIds` would make them. */
export function withoutBlockIds(trace: Trace): Omit<Trace, 'blockIds'> {
  const names = (Object.keys(trace) as (keyof Trace)[]).filter((name) => name !== 'blockIds');
  return Object.fromEntries(names.map((name) => [name, trace[name]])) as unknown as Omit<Trace, 'blockIds'>;
}
