import { EvicpressError, errors, printable } from '../errors.js';
import type { PrefillSample } from './prefill-fit.js';

/** A model as an OpenAI-compatible server lists it. */
export interface ServedModel {
  readonly id: string;
  /** The longest context, where the server says so (vLLM does). */
  readonly contextTokens?: number;
}

const ANSWER_MILLISECONDS = 10_000;
const FIRST_TOKEN_MILLISECONDS = 120_000;

/** The models of a server. @throws EvicpressError where nobody answers. */
export async function listModels(url: string, milliseconds = ANSWER_MILLISECONDS): Promise<ServedModel[]> {
  const response = await ask(url, '/models', { signal: AbortSignal.timeout(milliseconds) });
  const list = (await response.json().catch(() => undefined)) as
    | { data?: { id?: string; max_model_len?: number }[] }
    | undefined;
  return (list?.data ?? []).flatMap(({ id, max_model_len }) =>
    id === undefined
      ? []
      : [{ id, ...(max_model_len === undefined ? {} : { contextTokens: max_model_len }) }],
  );
}

/**
 * Streams one token of a completion. @returns tokens of the prompt as the server counted them, and the seconds
 * until the first token came. @throws EvicpressError
 */
export async function firstToken(
  url: string,
  model: string,
  prompt: string,
  signal: AbortSignal,
): Promise<PrefillSample> {
  const body = JSON.stringify({
    model,
    prompt,
    max_tokens: 1,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
  });
  const startedAt = performance.now();
  const response = await ask(url, '/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    signal: AbortSignal.any([signal, AbortSignal.timeout(FIRST_TOKEN_MILLISECONDS)]),
  });
  let seconds: number | undefined;
  let tokens: number | undefined;
  for await (const event of serverSentEvents(response)) {
    if (event.choices?.[0] !== undefined) seconds ??= (performance.now() - startedAt) / 1e3;
    tokens = event.usage?.prompt_tokens ?? tokens;
  }
  if (seconds === undefined || tokens === undefined) {
    throw new EvicpressError(
      `${url} streamed no ${seconds === undefined ? 'token' : 'count of the prompt’s tokens (usage)'}. Is it an OpenAI-compatible server with streaming and stream_options.include_usage?`,
    );
  }
  return { tokens, seconds };
}

interface StreamEvent {
  readonly choices?: readonly unknown[];
  readonly usage?: { readonly prompt_tokens?: number } | null;
}

async function* serverSentEvents(response: Response): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body ?? []) {
    const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const data = /^data: *(\{.*\})\s*$/.exec(line)?.[1];
      if (data !== undefined) yield JSON.parse(data) as StreamEvent;
    }
  }
}

async function ask(url: string, path: string, init: RequestInit): Promise<Response> {
  const base = url.replace(/\/+$/, '').replace(/\/v1$/, '');
  const key = process.env.OPENAI_API_KEY;
  const headers = { ...init.headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) };
  let response: Response;
  try {
    response = await fetch(`${base}/v1${path}`, { ...init, headers });
  } catch (error) {
    const cause = (error as { cause?: NodeJS.ErrnoException }).cause;
    const why = cause?.code ?? (error as Error).name;
    if (why === 'AbortError') throw errors.interrupted();
    throw new EvicpressError(
      `No server answers at ${printable(base)} (${why}). Start it, or correct the address.`,
    );
  }
  if (response.ok) return response;
  const said = printable((await response.text().catch(() => '')).replace(/\s+/g, ' '), 160);
  const remedy = response.status === 401 ? 'Set OPENAI_API_KEY.' : 'Is it an OpenAI-compatible server?';
  throw new EvicpressError(`${printable(base)}/v1${path} answered ${response.status} (${said}). ${remedy}`);
}
