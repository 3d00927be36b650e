import { type Spans, spansOf } from '../traces/spans.js';
import type { Trace } from '../traces/trace.js';

/** What a whole log says about itself; computed once, shared by all policies of a run. */
export class LogFacts {
  private unlimited: Float64Array | undefined;
  private next: Int32Array | undefined;
  private inSpans: Spans | undefined;

  /** @param known what another thread has found out about the same log. */
  constructor(
    readonly trace: Trace,
    known?: Pick<LogFacts, 'spans' | 'unlimitedTokens'>,
  ) {
    this.unlimited = known?.unlimitedTokens;
    this.inSpans = known?.spans;
  }

  /** The blocks that every request uses together or not at all. */
  get spans(): Spans {
    this.inSpans ??= spansOf(this.trace);
    return this.inSpans;
  }

  /** By request: tokens that an unlimited cache would serve. */
  get unlimitedTokens(): Float64Array {
    this.unlimited ??=
      this.trace.blockTokens > 0 && this.chained ? unlimitedChains(this.trace) : unlimitedTokens(this.trace);
    return this.unlimited;
  }

  /** Whether an id stands for its whole prefix everywhere: no block has two different blocks before it. */
  get chained(): boolean {
    return this.spans.chained;
  }

  /**
   * By position in `trace.blocks`: the request that uses the block next, `trace.requests` where none does.
   * A second use in the same request is not a next use.
   */
  get nextUse(): Int32Array {
    this.next ??= nextUses(this.trace);
    return this.next;
  }
}

function unlimitedTokens(trace: Trace): Float64Array {
  return trace.reuse === 'prefix' ? unlimitedPrefixes(trace) : unlimitedDocuments(trace);
}

/** Chained ids numbered by first appearance: what is new in a request are its last blocks, numbered one by one. */
function unlimitedChains({ requests, blocks, blockOffsets, blockTokens, inputTokens }: Trace): Float64Array {
  const tokens = new Float64Array(requests);
  let known = 0;
  for (let r = 0; r < requests; r++) {
    const end = blockOffsets[r + 1]!;
    const length = end - blockOffsets[r]!;
    const fresh = length === 0 ? 0 : Math.max(0, blocks[end - 1]! + 1 - known);
    known += fresh;
    tokens[r] = Math.min((length - fresh) * blockTokens, inputTokens[r]!);
  }
  return tokens;
}

/** Blocks are numbered by first appearance: what came before has a smaller number than what is new. */
function unlimitedPrefixes(trace: Trace): Float64Array {
  const { blocks, blockOffsets, tokensOfBlock, inputTokens } = trace;
  const tokens = new Float64Array(trace.requests);
  let known = 0;
  for (let r = 0; r < trace.requests; r++) {
    const end = blockOffsets[r + 1]!;
    let k = blockOffsets[r]!;
    let served = 0;
    for (; k < end && blocks[k]! < known; k++) served += tokensOfBlock[blocks[k]!]!;
    tokens[r] = Math.min(served, inputTokens[r]!);
    for (; k < end; k++) if (blocks[k] === known) known++;
  }
  return tokens;
}

/** A document asked for twice in one request counts once. */
function unlimitedDocuments(trace: Trace): Float64Array {
  const { blocks, blockOffsets, tokensOfBlock, inputTokens } = trace;
  const lastRequest = new Int32Array(tokensOfBlock.length).fill(-1);
  const tokens = new Float64Array(trace.requests);
  for (let r = 0; r < trace.requests; r++) {
    let served = 0;
    for (let k = blockOffsets[r]!; k < blockOffsets[r + 1]!; k++) {
      const block = blocks[k]!;
      const last = lastRequest[block]!;
      lastRequest[block] = r;
      if (last !== r && last !== -1) served += tokensOfBlock[block]!;
    }
    tokens[r] = Math.min(served, inputTokens[r]!);
  }
  return tokens;
}

function nextUses(trace: Trace): Int32Array {
  const { blocks, blockOffsets, tokensOfBlock } = trace;
  const next = new Int32Array(blocks.length);
  const upcoming = new Int32Array(tokensOfBlock.length).fill(trace.requests);
  const after = new Int32Array(tokensOfBlock.length).fill(trace.requests);
  for (let r = trace.requests - 1; r >= 0; r--) {
    for (let k = blockOffsets[r + 1]! - 1; k >= blockOffsets[r]!; k--) {
      const block = blocks[k]!;
      if (upcoming[block] !== r) {
        after[block] = upcoming[block]!;
        upcoming[block] = r;
      }
      next[k] = after[block]!;
    }
  }
  return next;
}
