import { EvicpressError, errors, printable } from './errors.js';

/** A model as an OpenAI-compatible server lists it. */
export interface ServedModel {
  readonly id: string;
  /** The longest prompt and answer together, in tokens, where the server says so (vLLM and llama.cpp do). */
  readonly contextTokens?: number;
}

/** One message of a conversation, as a client sends it. */
export type Message = Readonly<Record<string, unknown>>;

/** What a server is asked to go on from: ids of tokens, text, or a conversation for the model's chat template. */
export type Prompt = readonly number[] | string | { readonly messages: readonly Message[] };

/** One answer, with the time its first token took. */
export interface StreamedAnswer {
  readonly text: string;
  /** From sending the request to the first token, as a client sees it. */
  readonly ttftSeconds: number;
  /** Tokens of the prompt as the server counted them, where it says. */
  readonly promptTokens?: number;
}

/** How a request is sent. */
export interface Sending {
  /** The body, sent as JSON; without one the request is a GET. */
  readonly body?: object;
  readonly milliseconds?: number;
  readonly signal?: AbortSignal;
}

/** No answer takes longer, nor the prefill of a long prompt: a server that hangs must not hang us. */
const ANSWER_MILLISECONDS = 600_000;
/** What a server knows without computing. */
const LIST_MILLISECONDS = 10_000;

/** What to do about an answer's status. */
const REMEDIES: Readonly<Record<number, string>> = {
  400: 'Is the prompt too long for the model, or a field unknown to this server?',
  401: 'Set OPENAI_API_KEY.',
  404: 'Is it an OpenAI-compatible server?',
};

/** A server may close a connection that has been idle just as the next request is sent over it. */
export const OWN_CONNECTION = { connection: 'close' } as const;

/**
 * Sends a request to a server and awaits its headers; OPENAI_API_KEY goes with it where set.
 * @param url of the server, with or without `/v1`.
 * @throws EvicpressError where nobody answers, or with anything but success.
 */
export async function ask(url: string, path: string, sending: Sending = {}): Promise<Response> {
  const { body, milliseconds = ANSWER_MILLISECONDS, signal } = sending;
  const base = url.replace(/\/+$/, '').replace(/\/v1$/, '');
  const key = process.env.OPENAI_API_KEY;
  const timeout = AbortSignal.timeout(milliseconds);
  let response: Response;
  try {
    response = await fetch(`${base}${path}`, {
      headers: {
        ...OWN_CONNECTION,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key ? { authorization: `Bearer ${key}` } : {}),
      },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
  } catch (error) {
    if (signal?.aborted === true) throw errors.interrupted();
    throw new EvicpressError(
      `No server answers at ${printable(base)} (${whyNot(error as Error)}). Start it, or correct the address.`,
    );
  }
  if (response.ok) return response;
  const said = printable((await response.text().catch(() => '')).replace(/\s+/g, ' '), 300);
  const remedy = REMEDIES[response.status] ?? 'See what it logs.';
  throw new EvicpressError(`${printable(base)}${path} answered ${response.status} (${said}). ${remedy}`);
}

/** What the system calls what went wrong, in words where it is common. */
const FAULTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was closed',
  ENOTFOUND: 'no such host',
  ERR_INVALID_URL: 'not a URL; write it like http://127.0.0.1:8000',
  UND_ERR_SOCKET: 'the connection was closed',
  TimeoutError: 'no answer in time',
  'bad port': 'HTTP clients refuse this port',
};

/** Why a server did not answer, of the error that `fetch` threw. */
export function whyNot({ cause, name }: Error): string {
  const { code, message } = (cause ?? {}) as Partial<NodeJS.ErrnoException>;
  const fault = code ?? message ?? name;
  return FAULTS[fault] ?? printable(fault);
}

/** As `ask`, with the answer read as JSON. @throws EvicpressError also where it is none. */
export async function askJson(url: string, path: string, sending: Sending = {}): Promise<unknown> {
  const response = await ask(url, path, sending);
  try {
    return await response.json();
  } catch {
    throw new EvicpressError(
      `${printable(url)} did not answer ${path} in JSON. Is it an OpenAI-compatible server?`,
    );
  }
}

/** The models of a server. @throws EvicpressError where nobody answers. */
export async function listModels(url: string, milliseconds = LIST_MILLISECONDS): Promise<ServedModel[]> {
  const list = (await askJson(url, '/v1/models', { milliseconds })) as {
    data?: { id?: unknown; max_model_len?: number; meta?: { n_ctx?: number } }[];
  };
  return (list?.data ?? []).flatMap(({ id, max_model_len, meta }) => {
    if (typeof id !== 'string') return [];
    const contextTokens = max_model_len ?? meta?.n_ctx;
    return [{ id, ...(contextTokens === undefined ? {} : { contextTokens }) }];
  });
}

/** The model of that name, or the first a server lists. @throws EvicpressError where it does not serve it. */
export async function servedModel(url: string, name?: string): Promise<ServedModel> {
  const models = await listModels(url);
  const found = name === undefined ? models[0] : models.find(({ id }) => id === name);
  if (found !== undefined) return found;
  if (models.length === 0) throw new EvicpressError(`${printable(url)} serves no model.`);
  const names = models.map(({ id }) => id).join(', ');
  throw new EvicpressError(
    `${printable(url)} does not serve a model "${printable(name ?? '')}". It has: ${printable(names)}.`,
  );
}

/**
 * Streams an answer, greedy unless the settings say otherwise.
 * @param settings further fields of the request, e.g. `max_tokens`.
 * @throws EvicpressError where the server fails or streams no token.
 */
export async function streamAnswer(
  url: string,
  model: string,
  prompt: Prompt,
  settings: object,
  signal?: AbortSignal,
): Promise<StreamedAnswer> {
  const chat = typeof prompt === 'object' && 'messages' in prompt;
  const startedAt = performance.now();
  const response = await ask(url, chat ? '/v1/chat/completions' : '/v1/completions', {
    body: {
      model,
      ...(chat ? { messages: prompt.messages } : { prompt }),
      temperature: 0,
      ...settings,
      stream: true,
      stream_options: { include_usage: true },
    },
    ...(signal === undefined ? {} : { signal }),
  });
  let ttftSeconds: number | undefined;
  let promptTokens: number | undefined;
  let text = '';
  for await (const { choices, usage } of serverSentEvents(response)) {
    const choice = choices?.[0];
    const piece = choice?.delta?.content ?? choice?.text ?? '';
    // A token may be no text yet, the first bytes of a character say; a conversation begins with an empty piece.
    if (choice !== undefined && (piece !== '' || !chat))
      ttftSeconds ??= (performance.now() - startedAt) / 1e3;
    text += piece;
    promptTokens = usage?.prompt_tokens ?? promptTokens;
  }
  ttftSeconds ??= chat ? (performance.now() - startedAt) / 1e3 : undefined;
  if (ttftSeconds === undefined)
    throw new EvicpressError(
      `${printable(url)} streamed no token. Is it an OpenAI-compatible server with streaming?`,
    );
  return { text, ttftSeconds, ...(promptTokens === undefined ? {} : { promptTokens }) };
}

interface StreamEvent {
  readonly choices?: readonly {
    readonly text?: string;
    readonly delta?: { readonly content?: string | null };
  }[];
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
