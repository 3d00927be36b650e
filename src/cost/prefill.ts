import type { Model } from '../formats/model.js';

/** Seconds to prefill the first n tokens of a prompt: a·n + b·n². */
export function prefillSeconds(model: Model, tokens: number): number {
  const { secondsPerToken, secondsPerTokenSquared } = model.prefill;
  return secondsPerToken * tokens + secondsPerTokenSquared * tokens * tokens;
}

/** Seconds to prefill `tokens` that begin at `startTokens`: prefill(start + n) − prefill(start). */
export function recomputeSeconds(model: Model, startTokens: number, tokens: number): number {
  const { secondsPerToken, secondsPerTokenSquared } = model.prefill;
  return tokens * (secondsPerToken + secondsPerTokenSquared * (2 * startTokens + tokens));
}

/** Bytes of the uncompressed KV cache of n tokens, over all ranks. */
export function kvBytes(model: Model, tokens: number): number {
  return tokens * model.kvBytesPerToken + (model.kvFixedBytes ?? 0);
}
