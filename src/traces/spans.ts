import type { Trace } from './trace.js';

/**
 * A log's blocks in spans: blocks that every request uses together, one after the other, or not at all. They are
 * the nodes of the radix tree over the whole log, a few blocks each; of documents, which come in any order, every
 * one is a span by itself.
 *
 * Layout: request r uses `spans[offsets[r] .. offsets[r + 1])`, head first; span s is the blocks
 * `firstBlock[s] .. firstBlock[s + 1]`, the last one excluded.
 */
export interface Spans {
  readonly offsets: Float64Array;
  readonly spans: Int32Array;
  /** As long as there are spans, plus 1. */
  readonly firstBlock: Int32Array;
  /** Whether an id stands for its whole prefix everywhere: no span has two different spans before it. */
  readonly chained: boolean;
}

/** Finds a log's spans; blocks are numbered by first appearance, so that those of a span have neighbouring numbers. */
export function spansOf(trace: Trace): Spans {
  const { blocks, blockOffsets, requests } = trace;
  const count = trace.tokensOfBlock.length;
  if (trace.reuse === 'documents') {
    const firstBlock = Int32Array.from({ length: count + 1 }, (_, block) => block);
    return { offsets: blockOffsets, spans: blocks, firstBlock, chained: false };
  }
  const { spanAt, firstBlock } = numberedHeads(trace);
  const offsets = new Float64Array(requests + 1);
  let spans = new Int32Array(firstBlock.length);
  const before = new Int32Array(firstBlock.length - 1).fill(-2);
  let chained = true;
  let used = 0;
  for (let r = 0; r < requests; r++) {
    const end = blockOffsets[r + 1]!;
    let previous = -1;
    for (let k = blockOffsets[r]!; k < end; ) {
      const span = spanAt[blocks[k]!]!;
      if (used === spans.length) spans = twiceAsLong(spans);
      spans[used++] = span;
      if (before[span] === -2) before[span] = previous;
      else if (before[span] !== previous) chained = false;
      previous = span;
      k += firstBlock[span + 1]! - firstBlock[span]!;
    }
    offsets[r + 1] = used;
  }
  return { offsets, spans: spans.subarray(0, used), firstBlock, chained };
}

function twiceAsLong(column: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(2 * column.length);
  longer.set(column);
  return longer;
}

/** By block that begins a span: the span's number. A span begins where some request's blocks stop being neighbours. */
function numberedHeads({ blocks, blockOffsets, requests, tokensOfBlock }: Trace) {
  const count = tokensOfBlock.length;
  const isHead = new Uint8Array(count + 1);
  for (let r = 0; r < requests; r++) {
    const end = blockOffsets[r + 1]!;
    let next = -1;
    for (let k = blockOffsets[r]!; k < end; k++) {
      const block = blocks[k]!;
      if (block !== next) {
        isHead[block] = 1;
        if (next !== -1) isHead[next] = 1;
      }
      next = block + 1;
    }
    if (next !== -1) isHead[next] = 1;
  }
  let heads = 0;
  for (let block = 0; block < count; block++) heads += isHead[block]!;
  const spanAt = new Int32Array(count);
  const firstBlock = new Int32Array(heads + 1);
  firstBlock[heads] = count;
  let span = 0;
  for (let block = 0; block < count; block++) {
    if (isHead[block] === 0) continue;
    firstBlock[span] = block;
    spanAt[block] = span++;
  }
  return { spanAt, firstBlock };
}
