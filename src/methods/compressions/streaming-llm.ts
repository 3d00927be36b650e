import { type ScoredLayer, tokenDropping } from './token-dropping.js';

/** First tokens that always stay: attention rests on them whatever they say. */
const SINKS = 4;

/**
 * StreamingLLM: keeps the first four tokens and the most recent ones, whatever they say.
 * Xiao et al., arXiv 2309.17453; positions stay as they were, as in StreamingLLMPress of kvpress 0.5.5.
 */
export const streamingLlm = tokenDropping('streaming-llm', streamingLlmScores);

/** The later the higher, and the first four above all. */
export function streamingLlmScores({
  tokens,
  kvHeads,
}: Pick<ScoredLayer, 'tokens' | 'kvHeads'>): Float64Array {
  return Float64Array.from({ length: kvHeads * tokens }, (_, i) => {
    const token = i % tokens;
    return token < SINKS ? 2 * tokens - token : token;
  });
}
