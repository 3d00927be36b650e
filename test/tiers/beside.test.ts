import { createServer, type Server, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { fitPrefill } from '../../src/cost/prefill-fit.js';
import { listModels } from '../../src/openai-client.js';
import { engine } from '../../src/tiers/engine.js';
import { gpu } from '../../src/tiers/gpu.js';
import { findGpus, measureLink, type TryProgram } from '../../src/tiers/gpu-link.js';
import { shortSettings as settings } from './settings.js';

describe('fitPrefill', () => {
  const lengths = [128, 256, 512, 1024, 2048, 4096, 8192];

  it('tells overhead, linear and square term apart', () => {
    const fit = fitPrefill(
      lengths.map((tokens) => ({ tokens, seconds: 0.02 + 2e-5 * tokens + 4e-10 * tokens ** 2 })),
    );
    expect(fit.overheadSeconds).toBeCloseTo(0.02, 6);
    expect(fit.secondsPerToken / 2e-5).toBeCloseTo(1, 4);
    expect(fit.secondsPerTokenSquared / 4e-10).toBeCloseTo(1, 3);
    expect(fit.medianRelativeError).toBeLessThan(1e-6);
  });

  it('leaves the overhead out where it is counted elsewhere', () => {
    const fit = fitPrefill(
      lengths.map((tokens) => ({ tokens, seconds: 2e-5 * tokens + 4e-10 * tokens ** 2 })),
      false,
    );
    expect(fit.overheadSeconds).toBe(0);
    expect(fit.secondsPerToken / 2e-5).toBeCloseTo(1, 4);
  });

  it('takes one term where lengths are too alike for two', () => {
    const fit = fitPrefill(Array(3).fill({ tokens: 100, seconds: 2 }), false);
    expect(fit).toMatchObject({ overheadSeconds: 0, secondsPerTokenSquared: 0 });
    expect(fit.secondsPerToken).toBeCloseTo(0.02, 9);
  });

  it('never finds a term below zero', () => {
    const fit = fitPrefill(lengths.map((tokens) => ({ tokens, seconds: 1e-4 * tokens ** 0.8 })));
    expect(fit.overheadSeconds).toBeGreaterThanOrEqual(0);
    expect(fit.secondsPerToken).toBeGreaterThan(0);
    expect(fit.secondsPerTokenSquared).toBe(0);
  });
});

describe('gpu', () => {
  const SMI = '0, NVIDIA H100 80GB HBM3, 81559, 80994\n1, NVIDIA H100 80GB HBM3, 81559, 1024\n';
  const bandwidth = (name: string, values: string[]) => ({
    name,
    bandwidth_matrix: [values],
    status: 'Passed',
  });
  const NVBANDWIDTH = JSON.stringify({
    nvbandwidth: {
      git_version: 'v0.8',
      testcases: [
        bandwidth('host_to_device_memcpy_ce', ['55.63', '55.60']),
        bandwidth('device_to_host_memcpy_ce', ['54.10', '54.00']),
      ],
    },
  });
  const programs =
    (outputs: Record<string, string>): TryProgram =>
    async (program) =>
      outputs[program];

  it('reads what nvidia-smi lists', async () => {
    expect(await findGpus(programs({ 'nvidia-smi': SMI }))).toMatchObject([
      { index: 0, name: 'NVIDIA H100 80GB HBM3', memoryBytes: 81559 * 2 ** 20 },
      { index: 1, freeMemoryBytes: 2 ** 30 },
    ]);
    expect(await findGpus(programs({}))).toEqual([]);
    expect(await findGpus(programs({ 'nvidia-smi': 'No devices were found' }))).toEqual([]);
  });

  it('prefers nvbandwidth, and takes the column of the GPU', async () => {
    const link = await measureLink(1, 1, programs({ nvbandwidth: NVBANDWIDTH, python3: '{}' }));
    expect(link?.tool).toBe('nvbandwidth v0.8');
    expect(link!.toDeviceBytesPerSecond).toBeCloseTo(55.6e9, -3);
    expect(link!.toHostBytesPerSecond).toBeCloseTo(54e9, -3);
  });

  it('falls back to pinned copies, then to nothing', async () => {
    const copies = JSON.stringify({ toDevice: 42e9, toHost: 41e9, torch: '2.13.0' });
    expect(await measureLink(0, 1, programs({ nvbandwidth: 'broken', python3: copies }))).toEqual({
      toDeviceBytesPerSecond: 42e9,
      toHostBytesPerSecond: 41e9,
      tool: 'pinned copies, torch 2.13.0',
    });
    expect(await measureLink(0, 1, programs({}))).toBeUndefined();
  });

  it('takes the figure of a bundled machine, marked as reference', async () => {
    const figures = await gpu.measure({ name: 'gpu', kind: 'gpu', location: 'h100-host' }, settings);
    expect(figures).toMatchObject({ source: 'reference', toDeviceBytesPerSecond: 42.5e9 });
    expect(figures.summary).toMatch(/LMCache pull request/);
    const none = gpu.measure({ name: 'gpu', kind: 'gpu', location: 'h10-host' }, settings);
    await expect(none).rejects.toThrow(/Did you mean h100-host\?/);
  });
});

describe('engine', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  const prompts: string[] = [];
  /** Answers with a token so many milliseconds after a prompt of so many tokens, and counts them. */
  const answerAfter =
    (milliseconds: (tokens: number) => number) => (response: ServerResponse, prompt: string) => {
      prompts.push(prompt);
      const tokens = prompt.split(' ').length * 2;
      const event = (value: unknown) => response.write(`data: ${JSON.stringify(value)}\n\n`);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      setTimeout(() => {
        event({ choices: [{ text: 'a' }] });
        event({ choices: [], usage: { prompt_tokens: tokens } });
        response.end('data: [DONE]\n\n');
      }, milliseconds(tokens));
    };
  /** Differences of length that a busy machine's delays do not pass for. */
  const patient = { ...settings, seconds: 20 };

  function serve(complete: (response: ServerResponse, prompt: string) => void): Promise<string> {
    const server = createServer(async (request, response) => {
      if (request.url === '/v1/models') {
        response.end(JSON.stringify({ data: [{ id: 'tiny', max_model_len: 4096 }] }));
        return;
      }
      let text = '';
      for await (const chunk of request) text += String(chunk);
      complete(response, (JSON.parse(text) as { prompt: string }).prompt);
    });
    servers.push(server);
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        resolve(`http://127.0.0.1:${(server.address() as { port: number }).port}/v1`);
      });
    });
  }

  it('fits prefill from prompts that share no beginning, counted by the server', async () => {
    const location = await serve(answerAfter((tokens) => tokens / 10));
    const figures = await engine.measure({ name: 'e', kind: 'engine', location }, patient);
    expect(figures).toMatchObject({ source: 'measured', model: 'tiny' });
    const samples = figures.samples as { tokens: number }[];
    expect(samples.every((sample) => sample.tokens % 256 === 0 && sample.tokens <= 4096)).toBe(true);
    const fit = figures.prefill as { secondsPerToken: number; secondsPerTokenSquared: number };
    expect(fit.secondsPerToken * 4096 + fit.secondsPerTokenSquared * 4096 ** 2).toBeGreaterThan(0);
    const beginnings = prompts.map((prompt) => prompt.slice(0, 20));
    expect(new Set(beginnings).size).toBe(beginnings.length);
  });

  it('is refused where a prompt takes as long whatever its length', async () => {
    const location = await serve(answerAfter((tokens) => 50_000 / tokens));
    await expect(engine.measure({ name: 'e', kind: 'engine', location }, patient)).rejects.toThrow(
      /Tier e: the time to the first token does not grow with the prompt, [\d.]+ m?s for 256 tokens and .* for 4096 tokens/,
    );
  });

  it('says so where the server streams nothing, refuses, or is not there', async () => {
    const silent = await serve((response) => response.end('data: [DONE]\n\n'));
    const target = { name: 'e', kind: 'engine', location: silent };
    await expect(engine.measure(target, settings)).rejects.toThrow(/streamed no token/);
    const refusing = await serve((response) => response.writeHead(401).end('no key'));
    const other = { ...target, location: refusing };
    await expect(engine.measure(other, settings)).rejects.toThrow(
      /answered 401 \(no key\)\. Set OPENAI_API_KEY/,
    );
    await expect(listModels('http://127.0.0.1:9')).rejects.toThrow(/No server answers at/);
    await expect(engine.measure({ name: 'e', kind: 'engine' }, settings)).rejects.toThrow(
      /needs the address/,
    );
  });
});
