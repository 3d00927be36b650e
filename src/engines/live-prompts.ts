import { createHash } from 'node:crypto';
import type { Trace } from '../traces/trace.js';

/** Ids below this are special in many vocabularies. */
const FIRST_ID = 100;
/** Every vocabulary of today is larger. */
const LAST_ID = 30_000;

/**
 * Prompts of the log's lengths and shared prefixes, as token ids: a log has no text, but the same block always
 * becomes the same tokens, and what comes after the last block is the request's own.
 * @param maxTokens longer prompts are cut, as the engine's context is.
 */
export function syntheticPrompts(trace: Trace, maxTokens: number): (request: number) => number[] {
  const { blocks, blockOffsets, blockIds, tokensOfBlock, inputTokens } = trace;
  return (r) => {
    const wanted = Math.min(inputTokens[r]!, maxTokens);
    const tokens: number[] = [];
    for (let k = blockOffsets[r]!; k < blockOffsets[r + 1]! && tokens.length < wanted; k++) {
      const block = blocks[k]!;
      pushTokens(
        tokens,
        `block ${blockIds[block]!}`,
        Math.min(tokensOfBlock[block]!, wanted - tokens.length),
      );
    }
    pushTokens(tokens, `request ${r}`, wanted - tokens.length);
    return tokens;
  };
}

/** Pseudo-random ids that depend on the seed alone. */
function pushTokens(tokens: number[], seed: string, count: number): void {
  const digest = createHash('sha256').update(seed).digest();
  let state = digest.readUInt32LE(0) | 1;
  for (let i = 0; i < count; i++) {
    // xorshift32 (Marsaglia 2003): enough for tokens that only have to differ.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    tokens.push(FIRST_ID + ((state >>> 0) % (LAST_ID - FIRST_ID)));
  }
}
