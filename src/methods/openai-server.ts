import { EvicpressError, printable } from '../errors.js';

/** One answer of a server. */
export interface ServerAnswer {
  readonly text: string;
  /** From sending the request to its first piece of text. */
  readonly ttftSeconds: number;
}

/** A running OpenAI-compatible server. */
export interface Server {
  /** Greedy unless told otherwise. */
  answer(
    prompt: string,
    maxTokens: number,
    options?: { temperature: number; seed: number },
  ): Promise<ServerAnswer>;
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

const TIMEOUT_MS = 300_000;

/** @throws EvicpressError when there is no server, or none that lists a model. */
export async function openServer(url: string, servedModel?: string): Promise<Server> {
  const base = url.replace(/\/+$/, '').replace(/\/v1$/, '');
  const listed = (await ask(base, '/v1/models')) as {
    data?: { id: string; max_model_len?: number; meta?: { n_ctx?: number } }[];
  };
  const found = listed.data?.find((each) => servedModel === undefined || each.id === servedModel);
  if (found === undefined) {
    const names = listed.data?.map((each) => each.id).join(', ') || 'none';
    throw new EvicpressError(
      `${printable(url)} does not serve a model "${printable(servedModel ?? '')}". It has: ${printable(names)}.`,
    );
  }
  const model = found.id;
  const messages = (prompt: string) => [{ role: 'user', content: prompt }];
  const idsOf = async (body: object) => {
    const reply = (await ask(base, '/tokenize', { model, ...body }).catch(() => undefined)) as
      | { tokens?: number[] }
      | undefined;
    // llama.cpp knows other fields under this path, and finds no tokens in what it does not know.
    return reply?.tokens?.length === 0 ? undefined : reply?.tokens;
  };
  /** Tokens of a prompt, the frame of the chat template included. */
  const countOf = async (prompt: string) =>
    (await idsOf({ messages: messages(prompt), add_generation_prompt: true }))?.length ??
    (await promptTokens(base, model, prompt));
  let canReadBack = true;
  return {
    answer: (prompt, max_tokens, { temperature, seed } = { temperature: 0, seed: 0 }) =>
      stream(base, { model, messages: messages(prompt), max_tokens, temperature, seed, stream: true }),
    async fit(text, query, answerTokens) {
      const tokens = await countOf(text);
      // As vLLM and as llama.cpp's server say it.
      const window = found.max_model_len ?? found.meta?.n_ctx;
      if (window === undefined) return { text, tokens, cutTokens: 0 };
      const room = window - answerTokens - (await countOf(query));
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
      const request = {
        model,
        prompt: [...before, ...given],
        max_tokens: 1,
        temperature: 0,
        echo: true,
        logprobs: 1,
      };
      const reply = (await ask(base, '/v1/completions', request).catch(() => undefined)) as
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

async function promptTokens(base: string, model: string, text: string): Promise<number> {
  const body = { model, messages: [{ role: 'user', content: text }], max_tokens: 1, temperature: 0 };
  const reply = (await ask(base, '/v1/chat/completions', body)) as { usage?: { prompt_tokens?: number } };
  const tokens = reply.usage?.prompt_tokens;
  if (tokens === undefined)
    throw new EvicpressError(
      `${printable(base)} does not say how many tokens a prompt has (usage.prompt_tokens).`,
    );
  return tokens;
}

function headers(): Record<string, string> {
  const key = process.env.OPENAI_API_KEY;
  return { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}) };
}

async function send(base: string, path: string, body?: object): Promise<Response> {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  let response: Response;
  try {
    response = await fetch(`${base}${path}`, {
      ...init,
      headers: headers(),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).message;
    throw new EvicpressError(
      `No answer from ${printable(base)} (${cause}). Start the server, or give its address with --url or --against.`,
    );
  }
  if (!response.ok) {
    const said = printable((await response.text()).slice(0, 300), 300);
    throw new EvicpressError(`${printable(base)}${path}: HTTP ${response.status}. It said: ${said}`);
  }
  return response;
}

async function ask(base: string, path: string, body?: object): Promise<unknown> {
  const response = await send(base, path, body);
  try {
    return await response.json();
  } catch {
    throw new EvicpressError(
      `${printable(base)}${path} did not answer in JSON. Is it an OpenAI-compatible server?`,
    );
  }
}

/** Reads a streamed answer. */
async function stream(base: string, body: object): Promise<ServerAnswer> {
  const startedAt = performance.now();
  const response = await send(base, '/v1/chat/completions', body);
  let ttftSeconds: number | undefined;
  let text = '';
  let rest = '';
  const decoder = new TextDecoder();
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(piece, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const data = line.match(/^data:\s*(\{.*\})\s*$/)?.[1];
      if (data === undefined) continue;
      const event = JSON.parse(data) as { choices?: { delta?: { content?: string | null } }[] };
      const content = event.choices?.[0]?.delta?.content;
      if (!content) continue;
      ttftSeconds ??= (performance.now() - startedAt) / 1000;
      text += content;
    }
  }
  return { text, ttftSeconds: ttftSeconds ?? (performance.now() - startedAt) / 1000 };
}
