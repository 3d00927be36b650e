import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EvicpressError } from '../../../src/errors.js';
import { columnsToBytes } from '../../../src/traces/columns-file.js';
import { loadTrace } from '../../../src/traces/load.js';
import { literal, TableEngine } from '../../../src/traces/table/duckdb.js';
import type { Trace } from '../../../src/traces/trace.js';
import { randomFrom } from '../../support/instances.js';
import { mutated } from '../../support/mutations.js';
import { BUNDLED_LOG, bundledLog } from '../logs.js';

/** Damaged files of each kind, as in the fuzz tests of the other readers. */
const DAMAGED = Math.ceil(Number(process.env.EVICPRESS_FUZZ ?? 4500) / 45);
const SEED = Number(process.env.EVICPRESS_FUZZ_SEED ?? 1);

let folder = '';
let engine: TableEngine;
const file = (name: string) => join(folder, name);
/** Writes what a query gives as the file's kind. */
const write = (query: string, name: string) => engine.rows(`COPY (${query}) TO ${literal(file(name))}`);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evicpress-table-'));
  engine = await TableEngine.open(() => undefined);
}, 600_000);
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});

/** All of a trace but what it says of itself. */
const bytesOf = (trace: Trace) => Buffer.concat(columnsToBytes({ ...trace, warnings: [] }));

describe('a table', () => {
  const log = `read_json(${literal(BUNDLED_LOG)})`;

  it.each(['parquet', 'json'])(
    'of requests with lists of ids gives what the same log in lines gives (%s)',
    async (kind) => {
      await write(`SELECT * FROM ${log}`, `requests.${kind}`);
      const trace = await loadTrace(file(`requests.${kind}`), { format: 'table' });
      expect(bytesOf(trace).equals(bytesOf(await bundledLog()))).toBe(true);
    },
  );

  it.each(['parquet', 'csv'])('of block accesses in any order does so, too (%s)', async (kind) => {
    const numbered = `SELECT *, row_number() OVER () AS request FROM ${log}`;
    await write(
      `SELECT timestamp / 1000 AS timestamp, request, input_length AS inputTokens, output_length AS outputTokens,
        unnest(hash_ids) AS block, generate_subscripts(hash_ids, 1) AS position
      FROM (${numbered}) ORDER BY hash(block, position)`,
      `accesses.${kind}`,
    );
    const trace = await loadTrace(file(`accesses.${kind}`));
    expect(bytesOf(trace).equals(bytesOf(await bundledLog()))).toBe(true);
  });

  it('of contexts with labels, ids beyond 2^53 and time stamps does so, too', async () => {
    const request = (r: number) => ({
      timestamp: r,
      context: `900719925474099${30 + (r % 5)}`,
      inputTokens: 100 + (r % 5),
      outputTokens: r,
      class: `c${r % 2}`,
      session: `s${r % 3}`,
    });
    const requests = Array.from({ length: 50 }, (_, r) => request(r));
    writeFileSync(file('contexts.jsonl'), requests.map((each) => JSON.stringify(each)).join('\n'));
    await write(
      `SELECT * REPLACE (make_timestamp(1700000000000000 + timestamp * 1000000) AS timestamp, context::BIGINT AS context)
      FROM read_json(${literal(file('contexts.jsonl'))})`,
      'contexts.parquet',
    );
    const trace = await loadTrace(file('contexts.parquet'));
    expect(bytesOf(trace).equals(bytesOf(await loadTrace(file('contexts.jsonl'))))).toBe(true);
  });

  it.each(['block', '[block]'])(
    'of signed hashes tells them apart, and knows them again: %s',
    async (ids) => {
      const name = ids === 'block' ? 'block, r AS request' : `${ids} AS hash_ids`;
      await write(
        `SELECT r AS timestamp, 16 AS input_length, ${name} FROM (SELECT r, (r % 3 - 1)::BIGINT AS block FROM range(6) AS t(r))`,
        'signed.parquet',
      );
      const { blocks, blockIds } = await loadTrace(file('signed.parquet'));
      expect([...blocks]).toEqual([0, 1, 2, 0, 1, 2]);
      expect(blockIds).toEqual(['-1', '0', '1']);
    },
  );

  it('leaves out what is no number', async () => {
    const odd = (column: string) => `if(i = 2, 'nan', if(i = 3, 'inf', '1'))::DOUBLE AS ${column}`;
    for (const columns of [
      `${odd('timestamp')}, 10 AS inputTokens`,
      `i AS timestamp, ${odd('inputTokens')}`,
      `i AS timestamp, 10 AS inputTokens, ${odd('outputTokens')}`,
      `i AS timestamp, 10 AS inputTokens, ${odd('contextTokens')}`,
    ]) {
      await write(`SELECT 'a' AS context, ${columns} FROM range(6) AS t(i)`, 'odd.parquet');
      await expect(loadTrace(file('odd.parquet')), columns).rejects.toThrow(/2 of 6 rows have/);
    }
  });

  it.each(['csv', 'json', 'parquet'])(
    'that is damaged is a trace or one clear error (%s)',
    { timeout: 60_000 + 200 * DAMAGED },
    async (kind) => {
      const query = `SELECT i AS timestamp, 'c' || i % 7 AS context, 10 + i AS inputTokens FROM range(40) AS t(i)`;
      await write(query, `whole.${kind}`);
      const whole = readFileSync(file(`whole.${kind}`));
      const random = randomFrom(SEED);
      let refused = 0;
      for (let round = 0; round < DAMAGED; round++) {
        writeFileSync(file(`damaged.${kind}`), mutated(whole, random));
        const outcome = await loadTrace(file(`damaged.${kind}`), { format: 'table' }).catch((error) => error);
        if (!(outcome instanceof Error)) continue;
        refused++;
        const input = `round ${round} of seed ${SEED}: ${outcome.stack}`;
        expect(outcome, input).toBeInstanceOf(EvicpressError);
        expect(outcome.message, input).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
        expect(outcome.message.length, input).toBeLessThan(2000);
      }
      expect(refused).toBeGreaterThan(DAMAGED / 20);
    },
  );

  it('names what is wrong with it, and leaves bad rows out where asked', async () => {
    await write('SELECT 1 AS a, 2 AS b', 'other.parquet');
    await expect(loadTrace(file('other.parquet'))).rejects.toThrow(
      /this table is no request log; its columns are a, b\. Expected timestamp with/,
    );
    await write(
      `SELECT i AS timestamp, if(i = 3, NULL, 'a') AS context, 10 AS inputTokens FROM range(6) AS t(i)`,
      'holes.parquet',
    );
    await expect(loadTrace(file('holes.parquet'))).rejects.toThrow(/1 of 6 rows have no id/);
    const trace = await loadTrace(file('holes.parquet'), { skipBad: true });
    expect(trace.requests).toBe(5);
    expect(trace.warnings).toEqual(['1 rows were skipped: no id, or no time or length ≥ 0.']);
    writeFileSync(file('torn.parquet'), 'PAR1 and no more');
    await expect(loadTrace(file('torn.parquet'))).rejects.toThrow(/DuckDB cannot read this table/);
    await write('SELECT 1 AS timestamp, 1 AS request, 7 AS block', 'short.parquet');
    await expect(loadTrace(file('short.parquet'))).rejects.toThrow(/--block-tokens/);
    expect((await loadTrace(file('short.parquet'), { blockTokens: 16 })).inputTokens[0]).toBe(16);
  });
});
