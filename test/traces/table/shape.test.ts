import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadTrace } from '../../../src/traces/load.js';
import { ROW, shapeOf } from '../../../src/traces/table/shape.js';

const columns = (text: string) =>
  text.split(', ').map((each) => {
    const [name, type] = each.split(' ');
    return { name: name!, type: type! };
  });

describe('the columns of a table', () => {
  it('say whether a row is a request or an access', () => {
    const mooncake = shapeOf('t', columns('timestamp BIGINT, input_length BIGINT, hash_ids BIGINT[]'));
    expect(mooncake).toMatchObject({ accesses: false, reuse: 'prefix', list: true, labels: [] });
    expect(mooncake.select(true)).toContain('"hash_ids"::DOUBLE[]');
    const contexts = shapeOf(
      't',
      columns('timestamp TIMESTAMP, context VARCHAR, inputTokens INTEGER, session_id VARCHAR'),
    );
    expect(contexts).toMatchObject({ accesses: false, reuse: 'documents', numericIds: undefined });
    expect(contexts.labels).toEqual(['session']);
    expect(contexts.select(false)).toContain('epoch("timestamp")');
    const accesses = shapeOf('t', columns('timestamp DOUBLE, request UUID, block UBIGINT, position INTEGER'));
    expect(accesses).toMatchObject({
      accesses: true,
      numericIds: '"block" >= 0 AND "block" < 1000000000000000',
    });
    const time = 'TRY_CAST("timestamp" AS DOUBLE)';
    expect(accesses.order).toEqual([time, 'request', 'position']);
    expect(mooncake.order).toEqual([`(${time} / 1000)`, ROW]);
  });

  it('that are no request log are refused by name', () => {
    for (const text of ['a INTEGER', 'timestamp DOUBLE, block INTEGER', 'timestamp DOUBLE, context VARCHAR'])
      expect(() => shapeOf('t.parquet', columns(text))).toThrow(/^t\.parquet: this table is no request log/);
  });
});

describe('without DuckDB', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evicpress-no-duckdb-'));
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  it('a table cannot be read, and the message says how to get it', async () => {
    vi.stubEnv('EVICPRESS_CACHE', join(folder, 'cache'));
    vi.stubEnv('PATH', folder);
    const log = join(folder, 'log.csv');
    writeFileSync(log, 'timestamp,request,block\n1,1,1\n');
    await expect(loadTrace(log)).rejects.toThrow(
      /are read by DuckDB, which cannot be had: .*npm install @duckdb\/node-api@/,
    );
  });
});
