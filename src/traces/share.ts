import { shared } from './column.js';
import type { Spans } from './spans.js';
import { type Trace, withoutBlockIds } from './trace.js';

/** A trace that another thread can be handed: plain data over shared memory; `withBlockIds` makes it whole there. */
export type SharedTrace = Omit<Trace, 'blockIds'>;

/**
 * A trace's columns in memory that threads share; those that lie there already are not copied.
 * @param withTexts whether ids that are text go along: they are copied for every thread.
 */
export function sharedTrace(trace: Trace, withTexts: boolean): SharedTrace {
  return {
    ...withoutBlockIds(trace),
    timestampSeconds: shared(trace.timestampSeconds),
    inputTokens: shared(trace.inputTokens),
    outputTokens: shared(trace.outputTokens),
    blockOffsets: shared(trace.blockOffsets),
    blocks: shared(trace.blocks),
    tokensOfBlock: shared(trace.tokensOfBlock),
    ids: {
      count: trace.ids.count,
      ...(trace.ids.numbers !== undefined && { numbers: shared(trace.ids.numbers) }),
      texts: withTexts ? trace.ids.texts : [],
    },
    classOf: shared(trace.classOf),
    sessionOf: shared(trace.sessionOf),
    tenantOf: shared(trace.tenantOf),
  };
}

/** A log's spans in memory that threads share. */
export function sharedSpans({ offsets, spans, firstBlock, chained }: Spans): Spans {
  return { offsets: shared(offsets), spans: shared(spans), firstBlock: shared(firstBlock), chained };
}
