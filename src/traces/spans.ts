import { longer, sharedColumn } from './column.js';
import { RankedSet } from './ranked-set.js';
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

/** The spans of traces, each found once, or read with it from the cache. */
const known = new WeakMap<Trace, Spans>();

/** A log's spans; blocks are numbered by first appearance, so that those of a span have neighbouring numbers. */
export function spansOf(trace: Trace): Spans {
  let spans = known.get(trace);
  if (spans === undefined) {
    spans = trace.reuse === 'documents' ? singleSpans(trace) : findSpans(trace);
    known.set(trace, spans);
  }
  return spans;
}

/** A trace with its blocks in spans: what `spansOf` gives of it from now on. */
export function withSpans(trace: Trace, spans: Spans): Trace {
  known.set(trace, spans);
  return trace;
}

function singleSpans({ blocks, blockOffsets, tokensOfBlock }: Trace): Spans {
  const firstBlock = Int32Array.from({ length: tokensOfBlock.length + 1 }, (_, block) => block);
  return { offsets: blockOffsets, spans: blocks, firstBlock, chained: false };
}

function findSpans(trace: Trace): Spans {
  const { blocks, blockOffsets, requests } = trace;
  const heads = headsOf(trace);
  const firstBlock = heads.members();
  const offsets = sharedColumn(Float64Array, requests + 1);
  let spans = sharedColumn(Int32Array, firstBlock.length);
  const before = new Int32Array(firstBlock.length).fill(-2);
  let chained = true;
  let used = 0;
  for (let r = 0; r < requests; r++) {
    const end = blockOffsets[r + 1]!;
    let previous = -1;
    for (let k = blockOffsets[r]!; k < end; ) {
      const span = heads.rank(blocks[k]!);
      if (used === spans.length) spans = longer(spans);
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

/** The same the other way round: the blocks of a log whose requests have so many together. */
export function blocksOf(
  { offsets, spans, firstBlock }: Spans,
  count: number,
): Pick<Trace, 'blocks' | 'blockOffsets'> {
  const blocks = sharedColumn(Int32Array, count);
  const blockOffsets = sharedColumn(Float64Array, offsets.length);
  let at = 0;
  for (let r = 0; r + 1 < offsets.length; r++) {
    for (let i = offsets[r]!; i < offsets[r + 1]!; i++) {
      const end = firstBlock[spans[i]! + 1]!;
      for (let block = firstBlock[spans[i]!]!; block < end; block++) blocks[at++] = block;
    }
    blockOffsets[r + 1] = at;
  }
  return { blocks, blockOffsets };
}

/**
 * The blocks that begin a span, and the number of all blocks: a span begins where some request's blocks stop being
 * neighbours.
 */
function headsOf({ blocks, blockOffsets, requests, tokensOfBlock }: Trace): RankedSet {
  const count = tokensOfBlock.length;
  const heads = new RankedSet(count + 1);
  heads.add(count);
  /** Blocks met so far: those with smaller numbers. */
  let known = 0;
  for (let r = 0; r < requests; r++) {
    const end = blockOffsets[r + 1]!;
    let next = -1;
    for (let k = blockOffsets[r]!; k < end; k++) {
      const block = blocks[k]!;
      if (block !== next) {
        heads.add(block);
        if (next !== -1) heads.add(next);
      }
      next = block + 1;
      if (block < known) continue;
      // New ones are numbered one by one: where the last is so much higher, all from here on are new neighbours.
      const last = blocks[end - 1]!;
      if (last - block === end - 1 - k) {
        next = last + 1;
        k = end;
      }
      known = next;
    }
    if (next !== -1) heads.add(next);
  }
  return heads;
}
