import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withArrivals } from '../../src/traces/arrivals.js';
import { assignClasses } from '../../src/traces/assign-classes.js';
import { columnsToBytes } from '../../src/traces/columns-file.js';
import { formats } from '../../src/traces/index.js';
import { type LoadOptions, loadTrace } from '../../src/traces/load.js';
import type { Trace } from '../../src/traces/trace.js';
import { BUNDLED_LOG, bundledLog } from './logs.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evicpress-log-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function load(content: string | Buffer | readonly unknown[], options?: LoadOptions): Promise<Trace> {
  const path = join(folder, 'requests.jsonl');
  const isRows = Array.isArray(content);
  await writeFile(path, isRows ? content.map((row) => JSON.stringify(row)).join('\n') : (content as string));
  return loadTrace(path, options);
}

const paths = (trace: Trace) =>
  Array.from({ length: trace.requests }, (_, r) =>
    [...trace.blocks.slice(trace.blockOffsets[r], trace.blockOffsets[r + 1])].map((b) => trace.blockIds[b]!),
  );

const mooncake = (timestamp: number, ids: unknown[], more: object = {}) => ({
  timestamp,
  input_length: 512 * ids.length,
  output_length: 1,
  hash_ids: ids,
  ...more,
});

describe('mooncake', () => {
  it('reads plain lines and lines with labels alike', async () => {
    const trace = await load([
      mooncake(1000, [1, 2]),
      mooncake(3000, [1, 3], { class: 'chat', session: 's', tenant: 't' }),
    ]);
    expect(paths(trace)).toEqual([
      ['1', '2'],
      ['1', '3'],
    ]);
    expect([...trace.timestampSeconds]).toEqual([0, 2]);
    expect([...trace.classOf]).toEqual([-1, 0]);
    expect([trace.classes, trace.sessions, trace.tenants]).toEqual([['chat'], ['s'], ['t']]);
    expect(trace.blockTokens).toBe(512);
  });

  it('keeps ids beyond 2^53 apart', async () => {
    const big = ['9007199254740993', '9007199254740992', '18446744073709551615'];
    const plain = `{"timestamp": 0, "input_length": 1536, "output_length": 1, "hash_ids": [${big.join(', ')}]}`;
    const labelled = plain.replace('}', ', "class": "x"}');
    const trace = await load(`${plain}\n${labelled}\n`);
    expect(paths(trace)).toEqual([big, big]);
    expect(trace.tokensOfBlock.length).toBe(3);
  });

  it('takes a long id for the same however its line is written', async () => {
    const line = (ids: string, more = '') =>
      `{"timestamp": 0, "input_length": 1024, "output_length": 1, "hash_ids": [${ids}]${more}}`;
    const lines = [
      line('1234567890123456, 10000000000000000'),
      line('1234567890123456, 1e16', ', "class": "x"'),
      line('"1234567890123456", "10000000000000000"'),
      line('"a, b]", 1234567890123456'),
      line('1234567890123456, 10000000000000000'),
    ];
    const trace = await load(lines.join('\n'));
    const long = ['1234567890123456', '10000000000000000'];
    expect(paths(trace)).toEqual([long, long, long, ['a, b]', long[0]], long]);
  });

  it('tells signed hashes apart, and knows them again', async () => {
    const ids = ['-1', '1', '-9007199254740993', '-9007199254740992', '0'];
    const line = (t: number) =>
      `{"timestamp": ${t}, "input_length": 2560, "output_length": 1, "hash_ids": [${ids.join(', ')}, -0]}\n`;
    expect(paths(await load(line(0) + line(1)))).toEqual([
      [...ids, '0'],
      [...ids, '0'],
    ]);
  });

  it('sorts a log that goes backwards, stably, and says so', async () => {
    const trace = await load([mooncake(5000, [1]), mooncake(1000, [2]), mooncake(5000, [3])]);
    expect(paths(trace)).toEqual([['2'], ['1'], ['3']]);
    expect([...trace.timestampSeconds]).toEqual([0, 4, 4]);
    expect([...trace.blocks]).toEqual([0, 1, 2]);
    expect(trace.warnings.join()).toMatch(/sorted by time/);
  });

  it('follows sessions that give delays', async () => {
    const trace = await load([
      mooncake(1000, [1], { session_id: 'a' }),
      { ...mooncake(0, [1, 2], { session_id: 'a', delay: 500 }), timestamp: undefined },
    ]);
    expect([...trace.timestampSeconds]).toEqual([0, 0.5]);
    expect([...trace.sessionOf]).toEqual([0, 0]);
  });

  it('finds the block size', async () => {
    const rows = Array.from({ length: 20 }, (_, i) => ({
      ...mooncake(i, [1, 2, 3, 4, 5]),
      input_length: 70 + i / 2 - (i % 2) / 2,
    }));
    expect((await load(rows)).blockTokens).toBe(16);
    expect((await load(rows, { blockTokens: 32 })).blockTokens).toBe(32);
  });

  it('reads the bundled excerpt', async () => {
    const trace = await bundledLog();
    expect([trace.requests, trace.blockTokens, trace.warnings.length]).toEqual([1500, 512, 0]);
  });
});

describe('a byte order mark', () => {
  const lines = (...rows: object[]) => rows.map((row) => `\ufeff${JSON.stringify(row)}\r\n`).join('');

  it.each<[string, string]>([
    ['plain lines', lines(mooncake(0, [1, 2]), mooncake(1, [1, 3]))],
    ['lines with labels', lines(mooncake(0, [1], { class: 'a' }), mooncake(1, [1], { class: 'b' }))],
    ['documents', lines({ timestamp: 0, input_length: 9, documents: [{ context: 'a', tokens: 5 }] })],
    ['contexts', lines({ timestamp: 0, context: 'a', inputTokens: 9, outputTokens: 1 })],
    ['CSV', '\ufeffTIMESTAMP,ContextTokens,GeneratedTokens\r\n1,512,1\r\n2,512,1'],
  ])('before a line is no part of it: %s', async (_, content) => {
    const [trace, same] = [await load(content), await load(content.replaceAll('\ufeff', ''))];
    expect(columnsToBytes(trace)).toEqual(columnsToBytes(same));
  });
});

describe('a log that can be read once only', () => {
  const lines = [mooncake(0, [1, 2]), mooncake(1, [1, 3])].map((row) => `${JSON.stringify(row)}\n`).join('');
  const piped = async (content: string | Buffer, options?: LoadOptions) => {
    const pipe = join(folder, 'pipe');
    await rm(pipe, { force: true });
    execFileSync('mkfifo', [pipe]);
    const [trace] = await Promise.allSettled([loadTrace(pipe, options), writeFile(pipe, content)]);
    if (trace.status === 'rejected') throw trace.reason;
    return trace.value;
  };

  it.each<[string, string | Buffer]>([
    ['plain', lines],
    ['compressed', gzipSync(lines)],
    ['that begins with blank lines', `\n\n${lines}`],
    ['of lengths only', 'TIMESTAMP,ContextTokens,GeneratedTokens\n1,512,1\n2,512,1\n'],
  ])('is recognised and read like a file: %s', async (_, content) => {
    const [trace, same] = [await piped(content), await load(content)];
    expect(columnsToBytes(trace)).toEqual(columnsToBytes(same));
  });

  it('is refused like a file', async () => {
    await expect(piped(`${lines}bad\n`)).rejects.toThrow(/pipe:3: not valid JSON/);
    await expect(piped('hello\n')).rejects.toThrow(/pipe:1: this is no request log we know/);
    await expect(piped('\n')).rejects.toThrow(/the file is empty/);
    await expect(piped(lines, { format: 'nonesuch' })).rejects.toThrow(/Unknown log format/);
  });

  it('is refused where it is a table, which is read several times', () =>
    expect(piped('timestamp,request,block\n1,1,1\n')).rejects.toThrow(/Write it to a file first/));
});

describe('what is wrong with a log', () => {
  const good = JSON.stringify(mooncake(0, [1]));
  const bad: [string, string, RegExp][] = [
    ['broken JSON', `${good}\n{"timestamp": 1,\n`, /requests\.jsonl:2: not valid JSON/],
    ['a missing length', `${good}\n{"timestamp": 1, "hash_ids": []}\n`, /:2: input_length: expected/],
    ['a negative length', `${good}\n\n${good.replace('512', '-5')}\n`, /:3: input_length: .*got -5/],
    ['a negative time', `${good}\n${good.replace('0', '-1')}\n`, /:2: timestamp: expected/],
    ['a time without end', `${good}\n${good.replace('0', '1e999')}\n`, /:2: timestamp: .*got Infinity/],
    ['an id that is no id', `${good}\n${good.replace('[1]', '[1.5]')}\n`, /:2: hash_ids\[0\]/],
    ['an empty file', '', /the file is empty/],
    ['only blank lines', '\n\n', /the file is empty/],
    ['something else', 'hello\n', /:1: this is no request log we know/],
  ];
  for (const [what, content, message] of bad) {
    it(what, () => expect(load(content)).rejects.toThrow(message));
  }

  it('may be skipped and counted', async () => {
    const trace = await load(`${good}\n{"x"\n${JSON.stringify(mooncake(1, [9, 1]))}\n`, { skipBad: true });
    expect(paths(trace)).toEqual([['1'], ['9', '1']]);
    expect(trace.warnings.join()).toMatch(/1 lines? .*skipped/);
  });

  it('may be all there is, which makes no empty file', () =>
    expect(load(`${good}\n${good}\n`, { skipBad: true, format: 'documents' })).rejects.toThrow(
      /no line of it is a request of format documents; the first fault: line 1: documents: expected a list/,
    ));

  it('a log of another format than is said, whose ids and times would be taken for what they are not', () =>
    expect(load(`${good}\n`, { format: 'qwen-bailian' })).rejects.toThrow(/:1: chat_id: expected/));

  it('leaves nothing of a skipped line behind', async () => {
    const request = (...documents: object[]) => ({ timestamp: 0, input_length: 900, documents });
    const bad = request({ context: 'a', tokens: 700 }, { context: 'b', tokens: 0 });
    const trace = await load(
      [request({ context: 'c', tokens: 1 }), bad, request({ context: 'a', tokens: 5 })],
      {
        skipBad: true,
      },
    );
    expect(paths(trace)).toEqual([['c'], ['a']]);
    expect([...trace.tokensOfBlock]).toEqual([1, 5]);
  });

  it('a truncated archive', async () => {
    const whole = gzipSync(`${good}\n`.repeat(50_000));
    await expect(load(whole.subarray(0, whole.length - 20))).rejects.toThrow(/damaged or cut short/);
  });

  it('a file that is not there, a folder', async () => {
    await expect(loadTrace(join(folder, 'none.jsonl'))).rejects.toThrow(/no such file/);
    await expect(loadTrace(folder)).rejects.toThrow(/this is a folder/);
  });

  it('an unknown format', () =>
    expect(loadTrace(BUNDLED_LOG, { format: 'moncake' })).rejects.toThrow(/Did you mean mooncake/));
});

describe('other formats', () => {
  it('documents', async () => {
    const trace = await load([
      {
        timestamp: 0,
        input_length: 900,
        output_length: 5,
        documents: [
          { context: 'p1', tokens: 300 },
          { context: 'p2', tokens: 20 },
        ],
      },
      { timestamp: 2000, input_length: 500, documents: [{ context: 'p1', tokens: 300 }] },
    ]);
    expect([trace.reuse, trace.blockTokens]).toEqual(['documents', 0]);
    expect(paths(trace)).toEqual([['p1', 'p2'], ['p1']]);
    expect([...trace.tokensOfBlock]).toEqual([300, 20]);
  });

  it('contexts, one per request', async () => {
    const trace = await load([{ timestamp: 1.5, context: 'manual', inputTokens: 4000, outputTokens: 7 }]);
    expect(paths(trace)).toEqual([['manual']]);
    expect(trace.tokensOfBlock[0]).toBe(4000);
  });

  it('LMCache lookup hashes', async () => {
    const row = { timestamp: 10.5, model_name: 'm', chunk_size: 256, seq_len: 600 };
    const trace = await load([
      { ...row, chunk_hashes: ['0xab', '0xcd'] },
      { ...row, timestamp: 11, chunk_hashes: ['0xab'] },
    ]);
    expect(paths(trace)).toEqual([['0xab', '0xcd'], ['0xab']]);
    expect([trace.blockTokens, trace.inputTokens[0], trace.timestampSeconds[1]]).toEqual([256, 600, 0.5]);
  });

  it('Qwen-Bailian, where equal content behind another prefix is another block', async () => {
    const row = { parent_chat_id: -1, input_length: 32, output_length: 1, type: 'text', turn: 1 };
    const trace = await load([
      { ...row, chat_id: 1, timestamp: 0, hash_ids: [7, 8] },
      { ...row, chat_id: 2, timestamp: 1, hash_ids: [8, 7] },
      { ...row, chat_id: 3, parent_chat_id: 1, timestamp: 2, hash_ids: [7, 8, 7] },
    ]);
    expect([...trace.blocks]).toEqual([0, 1, 2, 3, 0, 1, 4]);
    expect([...trace.sessionOf]).toEqual([0, 1, 0]);
    expect(trace.blockTokens).toBe(16);
  });

  it('Qwen-Bailian ids beyond 2^53 are kept apart', async () => {
    const line = (id: string) =>
      `{"chat_id": 1, "parent_chat_id": -1, "timestamp": 0, "input_length": 16, "hash_ids": [${id}]}`;
    const lines = ['9007199254740992', '9007199254740993', '9007199254740992'].map(line);
    expect([...(await load(lines.join('\n'))).blocks]).toEqual([0, 1, 0]);
  });

  it('OpenAI-style chats share the blocks of their common text', async () => {
    const system = { role: 'system', content: 'You answer questions about the harbour. '.repeat(8) };
    const trace = await load([
      {
        timestamp: 1,
        messages: [system, { role: 'user', content: 'When does the ferry leave? '.repeat(4) }],
      },
      {
        timestamp: '1970-01-01T00:00:05Z',
        request: { messages: [system, { role: 'user', content: 'x'.repeat(99) }] },
      },
    ]);
    const [a, b] = paths(trace);
    const shared = a!.filter((id, i) => b![i] === id).length;
    expect(shared).toBe(Math.floor((system.content.length + '<system>'.length) / 64));
    expect(trace.timestampSeconds[1]).toBe(4);
  });

  it('Azure and BurstGPT, for their arrivals', async () => {
    const azure = await load(
      'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.5000000,374,44\n2023-11-16 18:15:50.0000000,396,109\n',
    );
    expect([...azure.timestampSeconds]).toEqual([0, 3.5]);
    expect([...azure.inputTokens]).toEqual([374, 396]);
    const burst = await load(
      'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n',
    );
    expect([burst.requests, burst.classes[0]]).toEqual([1, 'ChatGPT']);
    const log = await load([mooncake(0, [1]), mooncake(1, [2]), mooncake(2, [3])]);
    expect([...withArrivals(log, azure).timestampSeconds]).toEqual([0, 3.5, 7]);
    expect(() => withArrivals(log, burst)).toThrow(/spans no time/);
  });

  it('each have a name of their own', () => {
    expect(new Set(formats.map((format) => format.name)).size).toBe(formats.length);
  });
});

describe('classes drawn for an experiment', () => {
  it('are the same for the same seed, and for requests of one root', async () => {
    const trace = await load(
      Array.from({ length: 100 }, (_, i) => mooncake(i, [0, 1000 + (i % 25), 5000 + i])),
    );
    const drawn = assignClasses(trace, ['a', 'b'], 3);
    expect(assignClasses(trace, ['a', 'b'], 3).classOf).toEqual(drawn.classOf);
    expect(assignClasses(trace, ['a', 'b'], 4).classOf).not.toEqual(drawn.classOf);
    for (let i = 25; i < 100; i++) expect(drawn.classOf[i]).toBe(drawn.classOf[i - 25]);
    expect(new Set(drawn.classOf).size).toBe(2);
  });
});
