import type { Trace } from '../traces/trace.js';

/** Tokens of a request that lie in the caches: of its longest kept prefix, or of its kept documents. */
export function prefixTokens(trace: Trace, tierOf: Int8Array, request: number): number {
  const { blocks, blockOffsets, tokensOfBlock, inputTokens } = trace;
  let tokens = 0;
  for (let k = blockOffsets[request]!; k < blockOffsets[request + 1]!; k++) {
    if (tierOf[blocks[k]!]! >= 0) tokens += tokensOfBlock[blocks[k]!]!;
    else if (trace.reuse === 'prefix') break;
  }
  return Math.min(tokens, inputTokens[request]!);
}
