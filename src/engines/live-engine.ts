import { type Prompt, type StreamedAnswer, servedModel, streamAnswer } from '../openai-client.js';

/** A running engine behind the OpenAI interfaces for completions and chat. */
export interface LiveEngine {
  readonly model: string;
  /** @param cacheSalt keeps what this request stores apart from other salts: a tenant. */
  complete(prompt: Prompt, outputTokens: number, cacheSalt?: string): Promise<StreamedAnswer>;
}

/**
 * Connects to an engine.
 * @param model the name it serves; without it the first of `/v1/models`.
 * @throws EvicpressError where it cannot be reached or does not serve it.
 */
export async function connectEngine(url: string, model?: string): Promise<LiveEngine> {
  const { id } = await servedModel(url, model);
  return {
    model: id,
    complete: (prompt, outputTokens, cacheSalt) =>
      streamAnswer(url, id, prompt, {
        max_tokens: Math.max(1, outputTokens),
        // Answers as long as asked for, so that two engines do the same work.
        ignore_eos: true,
        ...(cacheSalt === undefined ? {} : { cache_salt: cacheSalt }),
      }),
  };
}
