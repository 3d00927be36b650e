import { EvicpressError, printable } from '../errors.js';
import { whyNot } from '../openai-client.js';

/** What a running engine says of itself: equal again, it serves the same thing. */
export interface ServedModel {
  /** The name it answers to. */
  readonly servedModel: string;
  /** Where its weights come from (vLLM), or how many there are (llama.cpp). */
  readonly servedWeights?: string;
  /** The type its cache is kept in, as its metrics say it (vLLM). */
  readonly servedCacheDtype?: string;
}

/** An engine that is asked before every turn must not hold one up. */
const ANSWER_SECONDS = 5;
/** More than this no engine has to say about its models, or its metrics. */
const LARGEST_ANSWER_CHARACTERS = 4 * 2 ** 20;

/**
 * Asks an engine what it serves: `/v1/models`, which all of them have, and `/metrics`, which some have.
 * @throws EvicpressError where it does not answer, or not with a model.
 */
export async function askServed(url: string): Promise<ServedModel> {
  const endpoint = new URL('/v1/models', url).href;
  const list = parsed(await textOf(endpoint)) as { data?: Record<string, unknown>[] } | undefined;
  const first = Array.isArray(list?.data) ? list.data[0] : undefined;
  if (typeof first?.id !== 'string') throw new EvicpressError(`${endpoint}: no model is served there.`);
  const metrics = await textOf(new URL('/metrics', url).href).catch(() => '');
  const dtype = /cache_config_info\{[^}\n]*\bcache_dtype="([^"]{1,64})"/.exec(metrics)?.[1];
  const { n_params: parameters, size } = (first.meta ?? {}) as { n_params?: unknown; size?: unknown };
  const weights =
    typeof first.root === 'string'
      ? first.root
      : parameters === undefined
        ? undefined
        : `${parameters}, ${size} bytes`;
  return {
    servedModel: printable(first.id),
    ...(weights === undefined ? {} : { servedWeights: printable(weights) }),
    ...(dtype === undefined ? {} : { servedCacheDtype: dtype }),
  };
}

async function textOf(endpoint: string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(endpoint, { signal: AbortSignal.timeout(1000 * ANSWER_SECONDS) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    let text = '';
    const decoder = new TextDecoder();
    for await (const piece of response.body ?? []) {
      text += decoder.decode(piece as Uint8Array, { stream: true });
      if (text.length > LARGEST_ANSWER_CHARACTERS) throw new Error('the answer is too long');
    }
    return text;
  } catch (error) {
    const { cause, name, message } = error as Error;
    const why = cause === undefined && name === 'Error' ? printable(message) : whyNot(error as Error);
    throw new EvicpressError(
      `${printable(endpoint)}: cannot be asked (${why}). Is the engine running, and is the address right?`,
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
