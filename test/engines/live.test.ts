import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { calibrate } from '../../src/engines/calibrate.js';
import {
  type LiveRequest,
  type LiveSetting,
  median,
  predictedSeconds,
  replayLive,
} from '../../src/engines/live.js';
import { parseServedChunks, servedBetween } from '../../src/engines/live-metrics.js';
import { syntheticPrompts } from '../../src/engines/live-prompts.js';
import { TraceBuilder } from '../../src/traces/builder.js';
import type { Trace } from '../../src/traces/trace.js';

/** Three requests: the second shares two blocks with the first, the third repeats the second. */
function smallTrace(): Trace {
  const builder = new TraceBuilder('prefix');
  const request = (ids: string[], inputTokens: number, at: number) => {
    for (const id of ids) builder.push(builder.ids.ofText(id));
    builder.endRequest({ timestampSeconds: at, inputTokens, outputTokens: 3 });
  };
  request(['a', 'b', 'c'], 50, 0);
  request(['a', 'b', 'd'], 48, 1);
  request(['a', 'b', 'd'], 48, 2);
  return builder.finish(16);
}

const MODEL = {
  name: 'm',
  kvBytesPerToken: 100,
  prefill: { secondsPerToken: 0.01, secondsPerTokenSquared: 0 },
};

function settingOf(url: string, more: Partial<LiveSetting> = {}): LiveSetting {
  return {
    trace: smallTrace(),
    url,
    tiers: [
      { name: 'ssd', kind: 'file', capacityBytes: null, read: { latencySeconds: 0.1, bytesPerSecond: 1000 } },
    ],
    model: MODEL,
    methodCost: () => ({ bytesFraction: 0.5, secondsPerFullByte: 1e-4 }),
    requests: 100,
    maxInputTokens: 1000,
    maxOutputTokens: 2,
    chunkTokens: 16,
    ...more,
  };
}

describe('synthetic prompts', () => {
  it('have the lengths and shared prefixes of the log, and are the same every time', () => {
    const prompt = syntheticPrompts(smallTrace(), 1000);
    const [first, second, third] = [prompt(0), prompt(1), prompt(2)];
    expect([first.length, second.length, third.length]).toEqual([50, 48, 48]);
    expect(second.slice(0, 32)).toEqual(first.slice(0, 32));
    expect(second.slice(32, 48)).not.toEqual(first.slice(32, 48));
    expect(third).toEqual(second);
    expect(prompt(0)).toEqual(first);
    expect(Math.min(...first)).toBeGreaterThanOrEqual(100);
    expect(syntheticPrompts(smallTrace(), 20)(0)).toEqual(first.slice(0, 20));
  });
});

describe('served chunks', () => {
  it('are read by tier and method, and counted between two readings', () => {
    const text = [
      '# HELP evicpress_hit_chunks_total x',
      'evicpress_hit_chunks_total{method="none",tier="dram"} 4.0',
      'evicpress_hit_chunks_total{method="int8",tier="ssd"} 2.0',
      'lmcache_mp_other 7',
    ].join('\n');
    const served = parseServedChunks(text);
    expect(Object.fromEntries(served)).toEqual({ dram: 4, 'ssd int8': 2 });
    expect(Object.fromEntries(servedBetween(new Map([['dram', 4]]), served))).toEqual({ 'ssd int8': 2 });
  });
});

describe('prediction', () => {
  it('loads and decompresses what was served, and prefills the rest', () => {
    const request: LiveRequest = { inputTokens: 48, ttftSeconds: 0, hits: new Map([['ssd int8', 2]]) };
    // 32 tokens = 3,200 bytes, half of them stored: 0.1 + 1.6 s; 0.32 s to decompress; 16 tokens: 0.16 s.
    expect(predictedSeconds(request, settingOf('http://x'))).toBeCloseTo(0.1 + 1.6 + 0.32 + 0.16, 9);
    expect(predictedSeconds({ ...request, hits: new Map() }, settingOf('http://x'))).toBeCloseTo(0.48, 9);
    expect(predictedSeconds({ ...request, hits: undefined }, settingOf('http://x'))).toBeNull();
  });

  it('finds the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBe(0);
  });
});

describe('calibration', () => {
  it('tells latency from bandwidth where loads differ in size, and is not pulled by requests that were held up', () => {
    const setting = settingOf('http://x');
    const real = settingOf('http://x', {
      tiers: [{ ...setting.tiers[0]!, read: { latencySeconds: 0.3, bytesPerSecond: 4000 } }],
    });
    const requests = Array.from({ length: 12 }, (_, i) => {
      const request = { inputTokens: 300, ttftSeconds: 0, hits: new Map([['ssd int8', 2 + i]]) };
      return { ...request, ttftSeconds: predictedSeconds(request, real)! + (i % 5 === 4 ? 20 : 0) };
    });
    const { tiers } = calibrate(requests, setting);
    expect(tiers[0]!.read.latencySeconds).toBeCloseTo(0.3, 6);
    expect(tiers[0]!.read.bytesPerSecond).toBeCloseTo(4000, 3);
  });

  it('recovers prefill and the fixed cost of loading from noise-free requests', () => {
    const setting = settingOf('http://x');
    const truth = { ...MODEL, prefill: { secondsPerToken: 0.02, secondsPerTokenSquared: 1e-5 } };
    const real = settingOf('http://x', {
      model: truth,
      tiers: [{ ...setting.tiers[0]!, read: { latencySeconds: 2.1, bytesPerSecond: 1000 } }],
    });
    const requests = [
      ...[100, 200, 400, 800].map((inputTokens) => ({ inputTokens, hits: new Map<string, number>() })),
      ...[1, 2, 3].map((chunks) => ({ inputTokens: 60, hits: new Map([['ssd int8', chunks]]) })),
    ].map((request) => ({
      ...request,
      ttftSeconds: predictedSeconds({ ...request, ttftSeconds: 0 }, real)!,
    }));
    const { prefill, addedSeconds, tiers } = calibrate(requests, setting);
    expect(prefill.secondsPerToken).toBeCloseTo(0.02, 9);
    expect(prefill.secondsPerTokenSquared).toBeCloseTo(1e-5, 12);
    expect(addedSeconds.ssd).toBeCloseTo(2, 6);
    expect(tiers[0]!.read).toMatchObject({
      latencySeconds: expect.closeTo(2.1, 9),
      bytesPerSecond: 1000,
    });
    expect(tiers[0]).toMatchObject({ source: 'measured', tool: 'replay --live' });
  });

  it('leaves alone what too few requests speak of', () => {
    const few: LiveRequest[] = [{ inputTokens: 60, ttftSeconds: 9, hits: new Map([['ssd', 1]]) }];
    const setting = settingOf('http://x');
    expect(calibrate(few, setting)).toEqual({
      prefill: MODEL.prefill,
      tiers: setting.tiers,
      addedSeconds: {},
    });
  });
});

describe('a running engine', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  /** An engine that serves nothing from cache at first, then two chunks of every prompt. */
  async function engine(): Promise<{ url: string; asked: Record<string, unknown>[] }> {
    const asked: Record<string, unknown>[] = [];
    server = createServer((request, response) => {
      if (request.url === '/metrics')
        return response.end(
          `evicpress_hit_chunks_total{method="none",tier="ssd"} ${2 * Math.max(0, asked.length - 1)}\n`,
        );
      if (request.url === '/v1/models') return response.end(JSON.stringify({ data: [{ id: 'served' }] }));
      let body = '';
      request.on('data', (piece) => {
        body += piece;
      });
      request.on('end', () => {
        asked.push(JSON.parse(body));
        const pieces =
          request.url === '/v1/chat/completions'
            ? [{ delta: { role: 'assistant', content: '' } }, { delta: { content: 'good day' } }]
            : [{ text: 'hello' }, { text: ' you' }];
        const [first, last] = pieces.map((choice) => JSON.stringify({ choices: [choice] }));
        response.write(`data: ${first}\n\nda`);
        response.write(`ta: ${last}\n\n`);
        response.end('data: {"choices":[],"usage":{"prompt_tokens":47}}\n\ndata: [DONE]\n\n');
      });
      return undefined;
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, asked };
  }

  it('is asked request by request, and its hits are grouped by tier', async () => {
    const { url, asked } = await engine();
    const result = await replayLive(settingOf(url, { metricsUrl: `${url}/metrics` }));
    expect(result.servedModel).toBe('served');
    expect(asked.map((body) => (body.prompt as number[]).length)).toEqual([50, 48, 48]);
    expect(asked[0]).toMatchObject({ model: 'served', max_tokens: 2, temperature: 0, stream: true });
    expect(result.groups.map(({ place, requests }) => [place, requests])).toEqual([
      ['ssd', 2],
      ['prefill', 1],
      ['all', 3],
    ]);
    for (const { ttftSeconds } of result.requests) expect(ttftSeconds).toBeGreaterThan(0);
  });

  it('is asked in the words of a log that has them, and counts their tokens itself', async () => {
    const { url, asked } = await engine();
    const conversations = ['a', 'b', 'c'].map((content) => ({ messages: [{ role: 'user', content }] }));
    const { requests } = await replayLive(settingOf(url, { conversations }));
    expect(asked.map((body) => body.messages)).toEqual(conversations.map(({ messages }) => messages));
    expect(asked[0]!.prompt).toBeUndefined();
    expect(requests.map(({ text, inputTokens }) => [text, inputTokens])).toEqual(
      Array(3).fill(['good day', 47]),
    );
  });

  it('can be asked at the pace of the log', async () => {
    const { url, asked } = await engine();
    const result = await replayLive(settingOf(url, { pace: 1000, requests: 2 }));
    expect(asked).toHaveLength(2);
    expect(result.groups.map((group) => group.place)).toEqual(['all']);
    expect(result.groups[0]!.predictedMedianSeconds).toBeNull();
  });

  it('is compared with a reference, each asked the same, with the log’s tenants as salts', async () => {
    const { url, asked } = await engine();
    const setting = settingOf(url);
    const trace = { ...setting.trace, tenants: ['acme'], tenantOf: Int32Array.from([0, -1, 0]) };
    const compared: string[][] = [];
    const similarity = async (a: string, b: string) => {
      compared.push([a, b]);
      return 0.5;
    };
    const { answers } = await replayLive({ ...setting, trace, reference: { url, similarity } });
    expect(answers).toEqual({ pairs: 3, identical: 3, meanSimilarity: 0.5 });
    expect(compared).toEqual(Array(3).fill(['hello you', 'hello you']));
    expect(asked.slice(0, 3)).toEqual(asked.slice(3));
    expect(asked.map((body) => body.cache_salt)).toEqual([
      'acme',
      undefined,
      'acme',
      'acme',
      undefined,
      'acme',
    ]);
  });

  it('that is not there gets one clear message', async () => {
    await expect(replayLive(settingOf('http://127.0.0.1:9'))).rejects.toThrow(
      /No server answers at http:\/\/127\.0\.0\.1:9 \(/,
    );
  });
});
