import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openOpenAiRunner } from '../../src/methods/openai-runner.js';
import { ContextFailure, type LongContexts } from '../../src/methods/runner.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

interface Fake {
  /** The word of the prompt with which it begins to repeat it. */
  readonly from: number;
  readonly window?: number;
  /** Whether it can tokenize and read given tokens back, as vLLM can; else it is as llama.cpp's server. */
  readonly readsBack?: boolean;
}

/** A server whose tokens are words and whose greedy answer are the prompt's words from a place on. */
async function serve({ from, window, readsBack = true }: Fake): Promise<string> {
  const words: string[] = [];
  const idsOf = (text: string) =>
    text
      .split(/\s+/)
      .filter(Boolean)
      .map((word) => (words.includes(word) ? words.indexOf(word) : words.push(word) - 1));
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    const body = text === '' ? {} : JSON.parse(text);
    const reply = (value: object) => response.end(JSON.stringify(value));
    const prompt = body.messages?.[0].content ?? body.prompt;
    if (request.url === '/v1/models') {
      const length = readsBack ? { max_model_len: window } : { meta: { n_ctx: window } };
      reply({ data: [{ id: 'small', ...(window && length) }] });
    } else if (request.url === '/tokenize') {
      reply({ tokens: readsBack ? idsOf(prompt) : [] });
    } else if (request.url === '/v1/completions' && readsBack) {
      const given = (prompt as number[]).map((id) => words[id]!);
      // It would have answered with the first words from `from` on.
      const own = given.slice(from, from + 3);
      const answerAt = given.length - 3;
      const top = given.map((_, i) => (i < answerAt ? null : { [own[i - answerAt]!]: -0.1 }));
      reply({ choices: [{ logprobs: { tokens: given, top_logprobs: top } }] });
    } else if (request.url === '/v1/chat/completions' && body.stream) {
      const answer = (prompt as string).split(/\s+/).slice(from, from + body.max_tokens);
      for (const word of answer) {
        response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: `${word} ` } }] })}\n\n`);
      }
      response.end('data: [DONE]\n\n');
    } else if (request.url === '/v1/chat/completions') {
      reply({ usage: { prompt_tokens: (prompt as string).split(/\s+/).length } });
    } else {
      response.statusCode = 404;
      reply({ error: 'not found' });
    }
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const open = async (reference: Fake, candidate: Fake, longContexts: LongContexts = 'cut') =>
  openOpenAiRunner({
    url: await serve(reference),
    candidates: [{ method: 'fp8', compressionRatio: 0.5, url: await serve(candidate) }],
    model: 'small',
    kvBytesPerToken: 1000,
    kvDtype: 'bf16',
    longContexts,
    similarity: async (a, b) => Number(a === b),
  });

const context = { context: 'a', text: 'one two three four five', queries: ['six seven', 'eight'] };
const fp8 = { method: 'fp8', compressionRatio: 0.5 };

describe('the openai runner', () => {
  it('asks both servers the same and takes real times to the first token', async () => {
    const runner = await open({ from: 0 }, { from: 0 });
    const prepared = await runner.prepare(context, 3);
    expect(prepared).toMatchObject({ tokens: 5, fullBytes: 5000, cutTokens: 0 });
    expect(prepared.referenceAnswers).toEqual(['one two three ', 'one two three ']);
    const measured = await prepared.measure(fp8);
    expect(measured).toMatchObject({
      storedBytes: 2500,
      answers: prepared.referenceAnswers,
      tokenAgreement: [1, 1],
    });
    for (const seconds of [...measured.ttftSeconds!, ...measured.fullTtftSeconds!]) {
      expect(seconds).toBeGreaterThan(0);
    }
  });

  it('refuses answers that leave no room for the context', async () => {
    const runner = await open({ from: 0, window: 10 }, { from: 0, window: 10 });
    await expect(runner.prepare(context, 8)).rejects.toThrow(
      /an answer of 8 tokens leave nothing of .* of 10/,
    );
  });

  it('sees where a setting changes what the model would say', async () => {
    const runner = await open({ from: 0 }, { from: 1 });
    const measured = await (await runner.prepare(context, 3)).measure(fp8, { queries: [1] });
    expect(measured).toMatchObject({ answers: ['two three four '], tokenAgreement: [0] });
  });

  it('does without agreement where a server cannot read tokens back', async () => {
    const runner = await open({ from: 0, readsBack: false }, { from: 0, readsBack: false });
    const prepared = await runner.prepare(context, 3);
    expect(prepared.tokens).toBe(5);
    expect(await prepared.measure(fp8)).toMatchObject({
      tokenAgreement: [],
      answers: prepared.referenceAnswers,
    });
  });

  it('cuts a context that does not fit beside its longest query and answer, or refuses it', async () => {
    const cut = await (await open({ from: 0, window: 9 }, { from: 0 })).prepare(context, 3);
    // Nine tokens, less three of the answer and two of the longest query.
    expect(cut.tokens).toBeLessThanOrEqual(4);
    expect(cut.tokens + cut.cutTokens).toBe(5);
    const other = await (await open({ from: 0, window: 9, readsBack: false }, { from: 0 })).prepare(
      context,
      3,
    );
    expect(other).toMatchObject({ tokens: cut.tokens, cutTokens: cut.cutTokens });
    const strict = await open({ from: 0, window: 9 }, { from: 0 }, 'refuse');
    await expect(strict.prepare(context, 3)).rejects.toThrow(
      /Context "a" has 5 tokens; .*--long-contexts cut/,
    );
  });

  it('writes queries, knows its methods, and says which server it could not reach', async () => {
    const runner = await open({ from: 0 }, { from: 0 });
    expect(await runner.ask!('text', ['Ask.'], 1)).toEqual(['text Ask. ']);
    expect(runner.fixedRatio('fp8')).toBe(0.5);
    expect(() => runner.fixedRatio('fp9')).toThrow('Did you mean fp8?');
    const prepared = await runner.prepare(context, 3);
    await expect(prepared.measure({ method: 'int4', compressionRatio: 0.75 })).rejects.toThrow(
      ContextFailure,
    );
    for (const server of servers.splice(0)) server.close();
    await expect(open({ from: 0 }, { from: 0 }).then((each) => each.close())).resolves.toBeUndefined();
    await expect(
      openOpenAiRunner({
        ...{ url: 'http://127.0.0.1:9', candidates: [], model: 'm', kvBytesPerToken: 1, kvDtype: 'bf16' },
        ...{ longContexts: 'cut', similarity: async () => 1 },
      }),
    ).rejects.toThrow('No server answers at http://127.0.0.1:9 (');
  });
});
