import { keptTokens, type ScoredLayer, tokenDropping } from './token-dropping.js';

/** First tokens that always stay: attention rests on them whatever they say. */
const SINKS = 4;

/**
 * StreamingLLM: keeps the first four tokens and the most recent ones, whatever they say.
 * Xiao et al., arXiv 2309.17453; positions stay as they were, as in StreamingLLMPress of kvpress 0.5.5.
 */
export const streamingLlm = tokenDropping('streaming-llm', streamingLlmScores);

/** 1 for what stays, 0 for the middle that goes. */
export function streamingLlmScores(
  { tokens, kvHeads }: Pick<ScoredLayer, 'tokens' | 'kvHeads'>,
  compressionRatio: number,
): Float64Array {
  const dropped = tokens - keptTokens(tokens, compressionRatio);
  const scores = new Float64Array(kvHeads * tokens).fill(1);
  for (let head = 0; head < kvHeads; head++) {
    const start = head * tokens + Math.min(SINKS, tokens);
    scores.fill(0, start, Math.min(start + dropped, (head + 1) * tokens));
  }
  return scores;
}
