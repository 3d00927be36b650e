import { EvicpressError, errors, printable } from '../errors.js';
import type { StreamedAnswer } from '../openai-client.js';
import { openServer, type Server } from './openai-server.js';
import {
  ContextFailure,
  type LongContexts,
  type PreparedContext,
  type ProfiledContext,
  type Runner,
} from './runner.js';

/** A running server whose cache is compressed by its own settings, an fp8 cache say. */
export interface Candidate {
  /** The name of the setting in the profile. */
  readonly method: string;
  /** The fraction of the bytes it removes. */
  readonly compressionRatio: number;
  readonly url: string;
}

export interface OpenAiSettings {
  /** The server whose answers are taken for right: the one with the whole cache. */
  readonly url: string;
  readonly candidates: readonly Candidate[];
  /** The model as the servers name it; the first they list if not given. */
  readonly servedModel?: string;
  /** The model's name in the profile, and what its cache takes. */
  readonly model: string;
  readonly kvBytesPerToken: number;
  readonly kvDtype: string;
  readonly longContexts: LongContexts;
  readonly similarity: Runner['similarity'];
}

/**
 * Opens the openai runner: the same queries are put to a server with the whole cache and to servers with a setting
 * of their own, and the answers are compared. Bytes are computed from the setting's ratio; times to the first token
 * are real. Where a server can read given tokens back (vLLM does), agreement is measured as well.
 * @throws EvicpressError when a server does not answer.
 */
export async function openOpenAiRunner(settings: OpenAiSettings): Promise<Runner> {
  const { model, kvDtype, candidates, similarity } = settings;
  const reference = await openServer(settings.url, settings.servedModel);
  const servers = new Map<string, Server>();
  for (const { method, url } of candidates) servers.set(method, await openServer(url, settings.servedModel));
  const find = (method: string) => {
    const found = candidates.find((candidate) => candidate.method === method);
    if (found === undefined)
      throw errors.unknownName(
        'method',
        method,
        candidates.map((each) => each.method),
      );
    return found;
  };
  return {
    name: 'openai',
    model,
    kvDtype,
    fixedRatio: (method) => find(method).compressionRatio,
    smallestRatio: () => 0,
    prepare: (context, maxAnswerTokens) => prepare(settings, reference, servers, context, maxAnswerTokens),
    ask: (text, requests, seed) =>
      Promise.all(
        requests.map(async (request, i) => {
          const { text: answer } = await reference.answer(`${text}\n\n${request}`, 48, {
            temperature: 0.8,
            seed: seed + i,
          });
          return answer;
        }),
      ),
    similarity,
    close: async () => undefined,
  };
}

async function prepare(
  { kvBytesPerToken, longContexts }: OpenAiSettings,
  reference: Server,
  servers: ReadonlyMap<string, Server>,
  { context, text, queries }: ProfiledContext,
  maxAnswerTokens: number,
): Promise<PreparedContext> {
  const [longest = ''] = [...queries].sort((a, b) => b.length - a.length);
  const { text: fitting, tokens, cutTokens } = await reference.fit(text, longest, maxAnswerTokens);
  if (cutTokens > 0 && longContexts === 'refuse') {
    throw new EvicpressError(
      `Context "${printable(context)}" has ${tokens + cutTokens} tokens; ${tokens} fit into the server's window beside the query and its answer. Shorten it, or let it be cut with --long-contexts cut.`,
    );
  }
  const prompts = queries.map((query) => `${fitting}\n\n${query}`);
  const answers: StreamedAnswer[] = [];
  // One after the other: the first has to read the context, what follows finds it in the cache.
  for (const prompt of prompts) answers.push(await reference.answer(prompt, maxAnswerTokens));
  return {
    tokens,
    fullBytes: tokens * kvBytesPerToken,
    cutTokens,
    prefillSeconds: answers[0]!.ttftSeconds,
    referenceAnswers: answers.map((answer) => answer.text),
    async measure(
      { method, compressionRatio },
      { queries: places = prompts.map((_, i) => i), answer = true } = {},
    ) {
      const server = servers.get(method);
      if (server === undefined) throw new ContextFailure(`no server runs ${method}`);
      const asked = places.map((place) => prompts[place]!);
      const given: StreamedAnswer[] = [];
      if (answer) for (const prompt of asked) given.push(await server.answer(prompt, maxAnswerTokens));
      const agreements: number[] = [];
      for (const [i, prompt] of asked.entries()) {
        const agreement = await server.agreement(prompt, answers[places[i]!]!.text);
        if (agreement !== undefined) agreements.push(agreement);
      }
      return {
        storedBytes: Math.ceil(tokens * kvBytesPerToken * (1 - compressionRatio)),
        // The server does both inside its forward pass; they are part of the time to the first token.
        compressSeconds: 0,
        decompressSeconds: 0,
        answers: given.map((each) => each.text),
        tokenAgreement: agreements.length === asked.length ? agreements : [],
        klDivergence: [],
        ttftSeconds: given.map((each) => each.ttftSeconds),
        fullTtftSeconds: places.map((place) => answers[place]!.ttftSeconds),
      };
    },
  };
}
