import { join } from 'node:path';
import fc from 'fast-check';
import { PROFILES_FOLDER } from '../../src/formats/bundled.js';
import { TraceBuilder } from '../../src/traces/builder.js';
import { loadTrace } from '../../src/traces/load.js';
import type { Reuse, Trace } from '../../src/traces/trace.js';

/** The path of the excerpt that ships with the package. */
export const BUNDLED_LOG = join(PROFILES_FOLDER, 'traces', 'mooncake-conversation-1500.jsonl.gz');

let loading: Promise<Trace> | undefined;

/** The bundled excerpt, loaded once per test file. */
export function bundledLog(): Promise<Trace> {
  loading ??= loadTrace(BUNDLED_LOG);
  return loading;
}

/** The beginning of a log. */
export function firstRequests(trace: Trace, requests: number): Trace {
  return {
    ...trace,
    requests,
    blockOffsets: trace.blockOffsets.slice(0, requests + 1),
    blocks: trace.blocks.slice(0, trace.blockOffsets[requests]),
  };
}

export interface TestRequest {
  readonly blocks?: readonly string[];
  readonly documents?: Readonly<Record<string, number>>;
  /** A document asked for a second time in the same request. */
  readonly again?: string;
  readonly inputTokens?: number;
  readonly seconds?: number;
  readonly class?: string;
}

/** A trace from a few requests, one second apart unless they say otherwise; blocks of 512 tokens. */
export function traceOf(requests: readonly TestRequest[], reuse: Reuse = 'prefix'): Trace {
  const builder = new TraceBuilder(reuse);
  requests.forEach((request, r) => {
    for (const block of request.blocks ?? []) builder.push(builder.ids.ofText(block));
    for (const [document, tokens] of Object.entries(request.documents ?? {}))
      builder.pushDocument(builder.ids.ofText(document), tokens);
    if (request.again !== undefined) builder.push(builder.ids.ofText(request.again));
    builder.endRequest({
      timestampSeconds: request.seconds ?? r,
      inputTokens: request.inputTokens ?? 512 * builder.pending,
      outputTokens: 1,
      class: request.class,
    });
  });
  return builder.finish(reuse === 'prefix' ? 512 : 0);
}

/** Small logs of requests that walk a tree of prefixes; some end within their last block. */
export const treeLogs: fc.Arbitrary<Trace> = fc
  .array(
    fc.tuple(
      fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 7 }),
      fc.integer({ min: 0, max: 600 }),
    ),
    { minLength: 2, maxLength: 24 },
  )
  .map((walks) =>
    traceOf(
      walks.map(([walk, missing]) => ({
        blocks: walk.map((_, i) => walk.slice(0, i + 1).join('/')),
        inputTokens: Math.max(0, 512 * walk.length - missing),
      })),
    ),
  );
