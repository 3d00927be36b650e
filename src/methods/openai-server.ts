import { EvicpressError, printable } from '../errors.js';
import { askJson, type StreamedAnswer, servedModel, streamAnswer } from '../openai-client.js';

/** A running OpenAI-compatible server, asked by conversations of one message. */
export interface Server {
  /** Greedy unless told otherwise. */
  answer(
    prompt: string,
    maxTokens: number,
    options?: { temperature: number; seed: number },
  ): Promise<StreamedAnswer>;
  /** The text cut so that it fits into the server's window with a query behind it and an answer. */
  fit(
    text: string,
    query: string,
    answerTokens: number,
  ): Promise<{ text: string; tokens: number; cutTokens: number }>;
  /** The share of an answer's tokens that the server would choose itself, each given those before it; undefined
   *  where it cannot read given tokens back. */
  agreement(prompt: string, answer: string): Promise<number | undefined>;
}

/** @throws EvicpressError when there is no server, or none that lists the model. */
export async function openServer(url: string, name?: string): Promise<Server> {
  const found = await servedModel(url, name);
  const model = found.id;
  const messages = (prompt: string) => [{ role: 'user', content: prompt }];
  const idsOf = async (body: object) => {
    const reply = (await askJson(url, '/tokenize', { body: { model, ...body } }).catch(() => undefined)) as
      | { tokens?: number[] }
      | undefined;
    // llama.cpp knows other fields under this path, and finds no tokens in what it does not know.
    return reply?.tokens?.length === 0 ? undefined : reply?.tokens;
  };
  /** Tokens of a prompt, the frame of the chat template included. */
  const countOf = async (prompt: string) =>
    (await idsOf({ messages: messages(prompt), add_generation_prompt: true }))?.length ??
    (await promptTokens(url, model, prompt));
  let canReadBack = true;
  return {
    answer: (prompt, max_tokens, { temperature, seed } = { temperature: 0, seed: 0 }) =>
      streamAnswer(url, model, { messages: messages(prompt) }, { max_tokens, temperature, seed }),
    async fit(text, query, answerTokens) {
      const tokens = await countOf(text);
      const window = found.contextTokens;
      if (window === undefined) return { text, tokens, cutTokens: 0 };
      const room = window - answerTokens - (await countOf(query));
      if (room < 1)
        throw new EvicpressError(
          `The longest query and an answer of ${answerTokens} tokens leave nothing of the server's window of ${window} tokens. Shorten the query, or the answers with --answer-tokens.`,
        );
      if (tokens <= room) return { text, tokens, cutTokens: 0 };
      // Cut in proportion, with a little to spare: the end of a text may be denser than its whole.
      const kept = text.slice(0, Math.max(0, Math.floor((text.length * room * 0.97) / tokens)));
      const left = await countOf(kept);
      return { text: kept, tokens: left, cutTokens: tokens - left };
    },
    async agreement(prompt, answer) {
      if (!canReadBack || answer === '') return undefined;
      const before = await idsOf({ messages: messages(prompt), add_generation_prompt: true });
      const given = await idsOf({ prompt: answer, add_special_tokens: false });
      if (before === undefined || given === undefined) {
        canReadBack = false;
        return undefined;
      }
      const body = {
        model,
        prompt: [...before, ...given],
        max_tokens: 1,
        temperature: 0,
        echo: true,
        logprobs: 1,
      };
      const reply = (await askJson(url, '/v1/completions', { body }).catch(() => undefined)) as
        | { choices?: { logprobs?: { tokens: string[]; top_logprobs: (Record<string, number> | null)[] } }[] }
        | undefined;
      const logprobs = reply?.choices?.[0]?.logprobs;
      if (logprobs?.top_logprobs === undefined) {
        canReadBack = false;
        return undefined;
      }
      const places = given.map((_, i) => before.length + i);
      const agreed = places.filter((place) => {
        const top = Object.entries(logprobs.top_logprobs[place] ?? {}).sort((a, b) => b[1] - a[1])[0];
        return top !== undefined && top[0] === logprobs.tokens[place];
      });
      return agreed.length / given.length;
    },
  };
}

async function promptTokens(url: string, model: string, text: string): Promise<number> {
  const body = { model, messages: [{ role: 'user', content: text }], max_tokens: 1, temperature: 0 };
  const reply = (await askJson(url, '/v1/chat/completions', { body })) as {
    usage?: { prompt_tokens?: number };
  };
  const tokens = reply.usage?.prompt_tokens;
  if (tokens === undefined)
    throw new EvicpressError(
      `${printable(url)} does not say how many tokens a prompt has (usage.prompt_tokens).`,
    );
  return tokens;
}
