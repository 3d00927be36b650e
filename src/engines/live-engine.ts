import { EvicpressError, printable } from '../errors.js';

/** One answer of a running engine, with the time its first token took. */
export interface LiveAnswer {
  readonly ttftSeconds: number;
  readonly text: string;
}

/** A running engine behind the OpenAI completions interface. */
export interface LiveEngine {
  readonly model: string;
  /** @param cacheSalt keeps what this request stores apart from other salts: a tenant. */
  complete(promptTokens: readonly number[], outputTokens: number, cacheSalt?: string): Promise<LiveAnswer>;
}

/** No request takes longer: an engine that hangs must not hang us. */
const REQUEST_SECONDS = 600;

/**
 * Connects to an engine.
 * @param model the name it serves; without it the first of `/v1/models`.
 * @throws EvicpressError where it cannot be reached or serves nothing.
 */
export async function connectEngine(url: string, model?: string): Promise<LiveEngine> {
  const served = model ?? (await firstModel(url));
  return {
    model: served,
    complete: (prompt, outputTokens, cacheSalt) =>
      streamed(new URL('/v1/completions', url).href, {
        model: served,
        prompt: [...prompt],
        max_tokens: Math.max(1, outputTokens),
        temperature: 0,
        ignore_eos: true,
        stream: true,
        ...(cacheSalt === undefined ? {} : { cache_salt: cacheSalt }),
      }),
  };
}

/** A server may close a connection that has been idle just as the next request is sent over it. */
export const OWN_CONNECTION = { connection: 'close' } as const;

async function firstModel(url: string): Promise<string> {
  const endpoint = new URL('/v1/models', url).href;
  const response = await reach(endpoint, { signal: AbortSignal.timeout(30_000) });
  const list = (await response.json().catch(() => undefined)) as { data?: { id?: unknown }[] } | undefined;
  const id = list?.data?.[0]?.id;
  if (typeof id !== 'string')
    throw new EvicpressError(`${endpoint}: no model is served there. Name it with --live-model.`);
  return id;
}

async function reach(endpoint: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(endpoint, init);
  } catch (error) {
    const why = (error as Error).name === 'TimeoutError' ? 'no answer in time' : (error as Error).message;
    throw new EvicpressError(`${endpoint}: cannot be reached (${why}). Is the engine running there?`);
  }
}

/** Sends a request and times the first piece of the answer, as a client sees it. */
async function streamed(endpoint: string, body: unknown): Promise<LiveAnswer> {
  const startedAt = performance.now();
  const response = await reach(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...OWN_CONNECTION },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(1000 * REQUEST_SECONDS),
  });
  if (!response.ok || response.body === null) {
    const said = printable(await response.text().catch(() => ''), 160);
    throw new EvicpressError(`${endpoint}: answered ${response.status}: ${said}`);
  }
  const decoder = new TextDecoder();
  let ttftSeconds: number | undefined;
  let rest = '';
  let text = '';
  for await (const piece of response.body) {
    rest += decoder.decode(piece as Uint8Array, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith('data: ') || line === 'data: [DONE]') continue;
      ttftSeconds ??= (performance.now() - startedAt) / 1000;
      const event = JSON.parse(line.slice(6)) as { choices?: { text?: string }[] };
      text += event.choices?.[0]?.text ?? '';
    }
  }
  if (ttftSeconds === undefined) throw new EvicpressError(`${endpoint}: the answer had no token.`);
  return { ttftSeconds, text };
}
