import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chunkHashes, keyedIds } from '../../src/engines/chunk-hashes.js';
import { engineTokenizer, keysOfContexts, keysOfSegments } from '../../src/engines/context-keys.js';
import { keyedLog, keyedPlan } from '../../src/engines/keyed.js';
import { loadTrace } from '../../src/traces/load.js';
import { segmentsOf } from '../../src/traces/segments.js';
import { handPlan, rowAt } from './plans.js';

/** 600 token ids; what LMCache 0.5.6's TokenHasher makes of them is recorded below. */
const IDS = Array.from({ length: 600 }, (_, i) => (i * 7919 + 13) % 49152);
const BY_256 = [
  '1fef03cf8c28f991a1e6829098153eb86283523551fad3d8c3ccb47942dd82b2',
  '763a5132541b7e5735c2676027e8349511abdb368bd3cf538de5748b5d8010b4',
];

describe('chunk hashes', () => {
  it("are LMCache's own, full chunks only", () => {
    expect(chunkHashes(IDS)).toEqual(BY_256);
    const by64 = chunkHashes(IDS, 64);
    expect(by64).toHaveLength(9);
    expect(by64[0]).toBe('bd397a98dab1fb6e59e60bc7d5c7ab3fbc3d5e881141ff855e45988d51a22ab4');
    expect(by64[8]).toBe('292f0b6ec1221d023eaa729a7a881ce3123423e5165d8c3398e60712a8d6ab44');
  });

  it('name a chunk by its whole prefix', () => {
    const changed = [...IDS];
    changed[0] = 14;
    expect(chunkHashes(changed)[1]).not.toBe(BY_256[1]);
    expect(chunkHashes(IDS.slice(0, 255))).toEqual([]);
  });

  it('refuse what is no token id', () => {
    for (const wrong of [-1, 1.5, Number.NaN, 2 ** 32])
      expect(() => chunkHashes([wrong, ...IDS])).toThrow(/token id is a whole number/);
  });
});

describe('keyed ids', () => {
  it('are the same under one secret and unlinkable under another', () => {
    const key = keyedIds('a secret of some length');
    expect(key(BY_256[0]!)).toBe(key(BY_256[0]!));
    expect(key(BY_256[0]!)).not.toBe(keyedIds('another secret, as long')(BY_256[0]!));
    expect(key(BY_256[0]!)).toMatch(/^[0-9a-f]{64}$/);
    expect(() => keyedIds('short')).toThrow(/at least 16/);
  });
});

describe('keyed copies', () => {
  const rename = keyedIds('a secret of some length');

  it('of a plan keep everything but the names, and carry no engine keys', () => {
    const keys = { engine: 'lmcache', chunkSize: 256, hashes: ['0xab'] };
    const plan = handPlan(3, [
      { ...rowAt('a', 'dram', 'none', 5), keys },
      { ...rowAt('b', 'nvme', 'int8', 3), parent: 'a' },
    ]);
    const rows = [...keyedPlan(plan, rename).rows()];
    expect(rows.map((row) => [row.tier, row.method, row.storedBytes])).toEqual([
      ['dram', 'none', 5],
      ['nvme', 'int8', 3],
    ]);
    expect(rows[0]!.context).toBe(rename('a'));
    expect(rows[1]!.parent).toBe(rename('a'));
    expect(JSON.stringify(rows)).not.toContain('0xab');
  });

  it('of a log keep times, lengths and shared prefixes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'evicpress-'));
    const line = (at: number, ids: number[], tenant: string) =>
      JSON.stringify({
        timestamp: at,
        input_length: 512 * ids.length,
        output_length: 4,
        hash_ids: ids,
        tenant,
      });
    writeFileSync(join(folder, 'log.jsonl'), [line(0, [1, 2], 't'), line(500, [1, 3], 'u')].join('\n'));
    const trace = await loadTrace(join(folder, 'log.jsonl'));
    writeFileSync(join(folder, 'keyed.jsonl'), [...keyedLog(trace, rename)].join(''));
    const keyed = await loadTrace(join(folder, 'keyed.jsonl'));
    expect([...keyed.blocks]).toEqual([...trace.blocks]);
    expect([...keyed.timestampSeconds]).toEqual([...trace.timestampSeconds]);
    expect([...keyed.inputTokens]).toEqual([...trace.inputTokens]);
    expect(keyed.blockIds).toEqual(trace.blockIds.map(rename));
    expect(keyed.tenants).toEqual(['t', 'u'].map(rename));
  });
});

describe('keys of contexts', () => {
  it('come from keys, token ids or a text, with the tenant as salt', async () => {
    const given = { engine: 'lmcache', chunkSize: 256, hashes: ['0xab'] };
    const rows = [
      { context: 'given', keys: given },
      { context: 'ids', tenant: 't', tokenIds: IDS },
      { context: 'text', text: 'some text' },
      { context: 'bare' },
      { context: 'short', tokenIds: [1, 2, 3] },
    ];
    const keys = await keysOfContexts(rows, { tokenize: async () => IDS });
    expect(keys.get('given')).toEqual(given);
    expect(keys.get('ids')).toEqual({ engine: 'lmcache', chunkSize: 256, salt: 't', hashes: BY_256 });
    expect(keys.get('text')!.hashes).toEqual(BY_256);
    expect([...keys.keys()]).toEqual(['given', 'ids', 'text']);
  });

  it('are refused where token ids are none', async () => {
    await expect(keysOfContexts([{ context: 'x', tokenIds: 'abc' } as never])).rejects.toThrow(/tokenIds/);
  });

  it('can be had from a running engine, which says what is wrong with it', async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/tokenize' ? 200 : 404);
      response.end(JSON.stringify({ tokens: [1, 2] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    expect(await engineTokenizer(`http://127.0.0.1:${port}`, 'm')('x')).toEqual([1, 2]);
    server.close();
    server.closeAllConnections();
    await expect(engineTokenizer(`http://127.0.0.1:${port}`, 'm')('x')).rejects.toThrow(/No server answers/);
  });
});

describe("a log in LMCache's keys", () => {
  const lookup = (id: string, at: number, hashes: string[], size = 256) =>
    JSON.stringify({
      timestamp: at,
      request_id: id,
      chunk_size: size,
      seq_len: 256 * hashes.length + 9,
      chunk_hashes: hashes,
    });
  const model = {
    name: 'm',
    kvBytesPerToken: 1000,
    prefill: { secondsPerToken: 1, secondsPerTokenSquared: 0 },
  };

  async function load(lines: string[]) {
    const path = join(mkdtempSync(join(tmpdir(), 'evicpress-')), 'lookups.jsonl');
    writeFileSync(path, lines.join('\n'));
    return loadTrace(path);
  }

  it('gives contexts whose rows carry every chunk of their segment, head first', async () => {
    const trace = await load([
      lookup('a', 100.5, ['0xa1', '0xa2', '0xa3']),
      lookup('b', 101, ['0xa1', '0xa2', '0xb3']),
      lookup('c', 102, ['0xa1', '0xa2', '0xb3']),
    ]);
    expect(trace.blockTokens).toBe(256);
    const demand = segmentsOf(trace, { model });
    const keys = keysOfSegments(trace, demand)!;
    expect(demand.ids).toEqual(['0xa2', '0xb3']);
    expect(keys).toEqual([
      { engine: 'lmcache', chunkSize: 256, hashes: ['0xa1', '0xa2'] },
      { engine: 'lmcache', chunkSize: 256, hashes: ['0xb3'] },
    ]);
  });

  it('counts a request that was looked up twice once', async () => {
    const trace = await load([lookup('a', 1, ['0xa1']), lookup('a', 2, ['0xa1']), lookup('b', 3, ['0xa1'])]);
    expect(trace.requests).toBe(2);
  });

  it('counts it once too where others are looked up between, and several requests under one id each', async () => {
    const [first, second] = [['0xa1'], ['0xa1', '0xa2']];
    const interleaved = await load([
      lookup('a', 1, first),
      lookup('b', 2, first),
      lookup('a', 3, first),
      lookup('b', 4, first),
    ]);
    expect(interleaved.requests).toBe(2);
    const session = await load([lookup('s', 1, first), lookup('s', 2, second), lookup('s', 3, second)]);
    expect(session.requests).toBe(2);
  });

  it('names the fault of a line', async () => {
    await expect(load([lookup('a', 1, ['0xa1']), lookup('b', 2, ['zz'])])).rejects.toThrow(
      /:2: chunk_hashes\[0\]/,
    );
    await expect(load([lookup('a', 1, ['0xa1']), lookup('b', 2, ['0xa1'], 128)])).rejects.toThrow(
      /one chunk size/,
    );
  });
});
