import type { Demand } from '../formats/demand.js';
import type { Model } from '../formats/model.js';
import type { Trace } from './trace.js';

/** What a log's history asks for: its segments as contexts, and which segment each block is in. */
export interface SegmentDemand extends Demand {
  /** By block of the trace: row of its segment, −1 where the history did not reuse the block. */
  readonly segmentOfBlock: Int32Array;
}

export interface SegmentOptions {
  /** Length of the history: only the first so many requests are looked at; all without it. */
  readonly requests?: number;
  readonly model: Model;
}

/**
 * Turns a log's history into contexts. In a log of prefixes a context is a segment: a maximal chain of blocks
 * with equal access count, named by its last block; in a log of documents each document is one. Accesses are
 * the occurrences after the first; what was never used again is left out. A segment's `requestShare` is the
 * mean, over its reuses, of its tokens / all tokens of that request that had been seen before.
 */
export function segmentsOf(trace: Trace, options: SegmentOptions): SegmentDemand {
  const history = Math.min(options.requests ?? trace.requests, trace.requests);
  const segments = trace.reuse === 'documents' ? documents(trace, history) : chains(trace, history);
  const share = requestShares(trace, history, segments);
  const rowOf = new Int32Array(segments.count).fill(-1);
  const rows: number[] = [];
  for (let s = 0; s < segments.count; s++) {
    if (segments.accesses[s]! === 0) continue;
    rowOf[s] = rows.length;
    rows.push(s);
  }
  const column = (of: (segment: number) => number) => Float64Array.from(rows, of);
  const segmentOfBlock = segments.ofBlock.map((s) => (s === -1 ? -1 : rowOf[s]!));
  const seconds = history > 0 ? trace.timestampSeconds[history - 1]! - trace.timestampSeconds[0]! : 0;
  return {
    contexts: rows.length,
    ids: rows.map((s) => trace.blockIds[segments.lastBlock[s]!]!),
    tokens: column((s) => segments.tokens[s]!),
    startTokens: column((s) => segments.startTokens[s]!),
    fullBytes: column((s) => segments.tokens[s]! * options.model.kvBytesPerToken),
    accesses: column((s) => segments.accesses[s]!),
    requestShare: column((s) => share[s]!),
    parents: Int32Array.from(rows, (s) => {
      const parent = segments.parent[s]!;
      return parent === -1 ? -1 : rowOf[parent]!;
    }),
    classOf: Int32Array.from(rows, (s) => trace.classOf[segments.firstRequest[s]!]!),
    classes: trace.classes,
    tenantOf: Int32Array.from(rows, (s) => trace.tenantOf[segments.firstRequest[s]!]!),
    tenants: trace.tenants,
    periodSeconds: seconds > 0 ? seconds : null,
    segmentOfBlock,
  };
}

/** Segments in order of first appearance, so that a parent comes before its children. */
interface Segments {
  count: number;
  readonly ofBlock: Int32Array;
  readonly lastBlock: number[];
  readonly parent: number[];
  readonly tokens: number[];
  readonly startTokens: number[];
  readonly accesses: number[];
  readonly firstRequest: number[];
}

function emptySegments(blocks: number): Segments {
  return {
    count: 0,
    ofBlock: new Int32Array(blocks).fill(-1),
    lastBlock: [],
    parent: [],
    tokens: [],
    startTokens: [],
    accesses: [],
    firstRequest: [],
  };
}

function openSegment(
  segments: Segments,
  block: number,
  parent: number,
  request: number,
  uses: number,
): number {
  const s = segments.count++;
  segments.lastBlock.push(block);
  segments.parent.push(parent);
  segments.tokens.push(0);
  segments.startTokens.push(parent === -1 ? 0 : segments.startTokens[parent]! + segments.tokens[parent]!);
  segments.accesses.push(uses - 1);
  segments.firstRequest.push(request);
  return s;
}

function chains(trace: Trace, history: number): Segments {
  const { blocks, blockOffsets, tokensOfBlock } = trace;
  const uses = new Int32Array(tokensOfBlock.length);
  for (let k = 0; k < blockOffsets[history]!; k++) uses[blocks[k]!]!++;
  const segments = emptySegments(tokensOfBlock.length);
  const { ofBlock, lastBlock, tokens } = segments;
  for (let r = 0; r < history; r++) {
    let before = -1;
    for (let k = blockOffsets[r]!; k < blockOffsets[r + 1]!; k++) {
      const block = blocks[k]!;
      if (ofBlock[block] === -1) {
        let s = before === -1 ? -1 : ofBlock[before]!;
        const continues = s !== -1 && uses[before] === uses[block] && lastBlock[s] === before;
        if (!continues) s = openSegment(segments, block, s, r, uses[block]!);
        ofBlock[block] = s;
        lastBlock[s] = block;
        tokens[s]! += tokensOfBlock[block]!;
      }
      before = block;
    }
  }
  return segments;
}

/** Every document by itself; asked for twice in one request, it counts once. */
function documents(trace: Trace, history: number): Segments {
  const { blocks, blockOffsets, tokensOfBlock } = trace;
  const segments = emptySegments(tokensOfBlock.length);
  const lastRequest = new Int32Array(tokensOfBlock.length).fill(-1);
  for (let r = 0; r < history; r++) {
    for (let k = blockOffsets[r]!; k < blockOffsets[r + 1]!; k++) {
      const block = blocks[k]!;
      if (lastRequest[block] === r) continue;
      lastRequest[block] = r;
      const known = segments.ofBlock[block]!;
      if (known !== -1) {
        segments.accesses[known]!++;
        continue;
      }
      const s = openSegment(segments, block, -1, r, 1);
      segments.ofBlock[block] = s;
      segments.tokens[s] = tokensOfBlock[block]!;
    }
  }
  return segments;
}

function requestShares(trace: Trace, history: number, segments: Segments): Float64Array {
  const { blocks, blockOffsets, tokensOfBlock } = trace;
  const seen = new Uint8Array(tokensOfBlock.length);
  const lastRequest = new Int32Array(segments.count).fill(-1);
  const sum = new Float64Array(segments.count);
  const times = new Int32Array(segments.count);
  for (let r = 0; r < history; r++) {
    const reused: number[] = [];
    let reusable = 0;
    for (let k = blockOffsets[r]!; k < blockOffsets[r + 1]!; k++) {
      const block = blocks[k]!;
      if (seen[block] === 0) {
        seen[block] = 1;
        lastRequest[segments.ofBlock[block]!] = r;
        continue;
      }
      const s = segments.ofBlock[block]!;
      if (lastRequest[s] === r) continue;
      lastRequest[s] = r;
      reused.push(s);
      reusable += segments.tokens[s]!;
    }
    for (const s of reused) {
      sum[s]! += segments.tokens[s]! / reusable;
      times[s]!++;
    }
  }
  return sum.map((total, s) => (times[s] === 0 ? 1 : total / times[s]!));
}
