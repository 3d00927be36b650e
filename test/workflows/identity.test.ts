import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { askServed, type ServedModel } from '../../src/engines/served.js';
import { EvicpressError } from '../../src/errors.js';
import { readPlan } from '../../src/formats/plan.js';
import { readJournal } from '../../src/workflows/refresh/journal.js';
import { refreshTurn } from '../../src/workflows/refresh/turn.js';
import { TEST_MODEL } from '../support/instances.js';
import { sampleLog } from '../traces/every-format.js';
import { scratchFolder, testInputs, testOptions, testTools } from './refreshing.js';
import { OFFICE, requestLines } from './workload.js';

const LLAMA: ServedModel = { servedModel: 'llama', servedWeights: '/models/llama', servedCacheDtype: 'auto' };
const inputs = () => testInputs();

function started() {
  const options = testOptions(scratchFolder(), { minGain: 1 });
  writeFileSync(options.log, requestLines(OFFICE, 100));
  const asked = (served: ServedModel | undefined, changes = inputs) =>
    testTools(changes, {
      served: async () => {
        if (served === undefined) throw new EvicpressError('http://engine/v1/models: cannot be asked.');
        return served;
      },
    });
  let seed = 2;
  const more = () =>
    appendFileSync(options.log, requestLines(OFFICE, 30, { startSeconds: 600 * seed, seed: seed++ }));
  return { options, asked, more, inForce: join(options.folder, 'in-force.ndjson') };
}

describe('an engine that is asked what it serves', () => {
  it.each([
    ['other weights under the same name', { ...LLAMA, servedWeights: '/models/llama-finetuned' }],
    ['another type of cache', { ...LLAMA, servedCacheDtype: 'fp8' }],
    ['another name', { ...LLAMA, servedModel: 'qwen' }],
  ])('%s: nothing is planned from what was measured before', async (_, served) => {
    const { options, asked, more, inForce } = started();
    await refreshTurn(options, asked(LLAMA));
    const plan = readFileSync(inForce, 'utf8');
    more();
    await expect(refreshTurn(options, asked(served))).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringMatching(/it is invalid\. Model and profiles are of what was served before/),
    });
    expect(readFileSync(inForce, 'utf8')).toBe(plan);
    expect((await readJournal(options.folder)).at(-1)).toMatchObject({ event: 'failed' });
    const measured = () => testInputs({ files: [{ path: 'tiers.json', sha256: 'b' }] });
    expect(await refreshTurn(options, asked(served, measured))).toMatchObject({ outcome: 'published' });
    expect((await readPlan(inForce)).header.madeFor).toMatchObject(served);
  });

  it('is taken as it is with --resume, and left alone while it does not answer', async () => {
    const { options, asked, more } = started();
    await refreshTurn(options, asked(LLAMA));
    expect((await refreshTurn(options, asked(undefined))).outcome).toBe('idle');
    more();
    expect((await refreshTurn(options, asked(undefined))).outcome).toBe('kept');
    const renamed = { ...LLAMA, servedModel: 'llama-2' };
    expect((await refreshTurn({ ...options, resume: true }, asked(renamed))).outcome).toBe('published');
    more();
    expect((await refreshTurn(options, asked(renamed))).outcome).toBe('kept');
  });

  it('answers as vLLM and llama.cpp do', async () => {
    const answers: Record<string, string> = {
      '/v1/models': JSON.stringify({ data: [{ id: 'llama', root: '/models/llama', max_model_len: 4096 }] }),
      '/metrics': '# HELP\nvllm:cache_config_info{block_size="16",cache_dtype="fp8",engine="0"} 1.0\n',
    };
    const server = createServer((request, response) => {
      const text = answers[request.url!];
      response.writeHead(text === undefined ? 404 : 200).end(text);
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await askServed(url)).toEqual({
      servedModel: 'llama',
      servedWeights: '/models/llama',
      servedCacheDtype: 'fp8',
    });
    delete answers['/metrics'];
    answers['/v1/models'] = '{"data":[{"id":"m.gguf","meta":{"n_params":8030261312,"size":4912898048}}]}';
    expect(await askServed(url)).toEqual({
      servedModel: 'm.gguf',
      servedWeights: '8030261312, 4912898048 bytes',
    });
    answers['/v1/models'] = '<html>';
    await expect(askServed(url)).rejects.toThrow('no model is served there');
  });
});

describe('facts beside names', () => {
  it.each([
    ['kvBytesPerToken', { ...TEST_MODEL, kvBytesPerToken: 65_536 }],
    ['kvDtype', { ...TEST_MODEL, kvDtype: 'fp8' }],
  ])('%s of the same model: a new plan at once, and why', async (fact, model) => {
    const { options, asked } = started();
    await refreshTurn(
      options,
      asked(LLAMA, () => testInputs({ model: { ...TEST_MODEL, kvDtype: 'bf16' } })),
    );
    const files = [{ path: 'tiers.json', sha256: 'b' }];
    const result = await refreshTurn(
      options,
      asked(LLAMA, () => testInputs({ model: { kvDtype: 'bf16', ...model }, files })),
    );
    expect(result).toMatchObject({ outcome: 'published', reason: expect.stringContaining('it is invalid') });
    const found = result.drift.filter(({ check, drifted }) => check === 'identity' && drifted);
    expect(found.map(({ subject }) => subject)).toEqual([fact]);
  });

  it("refuses a log whose chunks have another size than the model's cache", async () => {
    const options = testOptions(scratchFolder());
    const line = (n: number, heads: number) => {
      const row = JSON.parse(sampleLog('lmcache', n + 1).split('\n')[n]!);
      return `${JSON.stringify({ ...row, dtypes: ['torch.bfloat16'], shapes: [[2, 32, 256, heads * 128]] })}\n`;
    };
    const some = (heads: number) => Array.from({ length: 30 }, (_, n) => line(n, heads)).join('');
    writeFileSync(options.log, some(8));
    expect(await refreshTurn(options, testTools(inputs))).toMatchObject({ outcome: 'published' });
    writeFileSync(options.log, '');
    appendFileSync(options.log, some(4));
    await expect(refreshTurn(options, testTools(inputs))).rejects.toThrow(
      /chunks take 65.5 KB a token, the cache of test-8b 131 KB/,
    );
  });
});
