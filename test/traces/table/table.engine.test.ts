import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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

  it('of Parquet is known by its content, and may be many files', async () => {
    const rows = (from: number) =>
      `SELECT i AS timestamp, 'c' || i AS context, 10 AS inputTokens FROM range(${from}, ${from + 3}) AS t(i)`;
    for (const part of [0, 1]) await write(rows(3 * part), `part-${part}.parquet`);
    renameSync(file('part-1.parquet'), file('unnamed'));
    expect((await loadTrace(file('unnamed'))).blockIds).toEqual(['c3', 'c4', 'c5']);
    renameSync(file('unnamed'), file('part-1.parquet'));
    expect((await loadTrace(file('part-*.parquet'))).requests).toBe(6);
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

  it('names the first row that holds no request, and leaves such rows out where asked', async () => {
    const odd = (column: string, ...values: string[]) =>
      `CASE i ${values.map((value, k) => `WHEN ${k + 2} THEN ${value}`).join(' ')} ELSE '1' END::DOUBLE AS ${column}`;
    const ids = (first: string) => `if(i = 2, ${first}, [i, 7]) AS hash_ids`;
    for (const [columns, bad, message] of [
      [
        `${odd('timestamp', "'nan'", "'inf'")}, 'a' AS context, 10 AS inputTokens`,
        2,
        'timestamp: expected a time ≥ 0 (got nan).',
      ],
      [
        `i AS timestamp, 'a' AS context, ${odd('inputTokens', "'0'", "'inf'", "'1.5'")}`,
        3,
        'inputTokens: expected a whole number of tokens from 1 to 2^31 (got 0.0).',
      ],
      [
        `i AS timestamp, 'a' AS context, 10 AS inputTokens, ${odd('outputTokens', "'-1'", "'nan'", 'NULL')}`,
        2,
        'outputTokens: expected a whole number of tokens from 0 to 2^31 (got -1.0).',
      ],
      [
        `i AS timestamp, 'a' AS context, 10 AS inputTokens, ${odd('contextTokens', "'3e9'")}`,
        1,
        'contextTokens: expected',
      ],
      [
        `i AS timestamp, if(i = 2, '', 'a') AS context, 10 AS inputTokens`,
        1,
        'context: expected ids that are not empty',
      ],
      [
        `i AS timestamp, 1024 AS input_length, ${ids('[1, NULL]')}`,
        1,
        'hash_ids: expected an id at every place (got [1, NULL]).',
      ],
      [
        `i AS timestamp, 1024 AS input_length, ${ids('NULL')}`,
        1,
        'hash_ids: expected a list of ids (got nothing).',
      ],
      [
        `i AS timestamp, 1024 AS input_length, ${ids('[1, 1e16::DOUBLE]')}`,
        1,
        'hash_ids: expected whole numbers or text: DOUBLE[] does not tell large ids apart',
      ],
      [
        `i AS timestamp, 1024 AS input_length, 1 AS block, if(i = 2, NULL, i) AS request`,
        1,
        'request: expected an id (got nothing).',
      ],
    ] as const) {
      await write(`SELECT ${columns} FROM range(6) AS t(i)`, 'odd.parquet');
      const path = file('odd.parquet');
      await expect(loadTrace(path), columns).rejects.toThrow(
        `odd.parquet: ${bad} of 6 rows hold no request, the first: row 3: ${message}`,
      );
      const trace = await loadTrace(path, { skipBad: true });
      expect(trace.requests, columns).toBe(6 - bad);
      expect(trace.warnings[0]).toMatch(
        bad === 1 ? /^1 row was skipped, the first: row 3: / : /^. rows were/,
      );
    }
  });

  it('of text that is no number is told by its row', async () => {
    writeFileSync(file('text.csv'), 'timestamp,context,inputTokens\n1,a,10\nlater,b,many\n2,c,10\n');
    await expect(loadTrace(file('text.csv'))).rejects.toThrow(/row 2: timestamp: .*\(got later\)/);
    expect((await loadTrace(file('text.csv'), { skipBad: true })).blockIds).toEqual(['a', 'c']);
    writeFileSync(file('none.csv'), 'timestamp,context,inputTokens\nlater,b,many\n');
    await expect(loadTrace(file('none.csv'), { skipBad: true })).rejects.toThrow(/no row holds a request/);
  });

  it('has lists in CSV, too, and ids as whole doubles', async () => {
    const rows = [`1000,1024,"[1, 2]"`, `2000,1024,"[1, 3]"`, `3000,512,[1]`];
    writeFileSync(file('lists.csv'), `timestamp,input_length,hash_ids\n${rows.join('\n')}`);
    const trace = await loadTrace(file('lists.csv'));
    expect([...trace.blocks]).toEqual([0, 1, 0, 2, 0]);
    expect(trace.blockIds).toEqual(['1', '2', '3']);
    await write(
      `SELECT * REPLACE (hash_ids::DOUBLE[] AS hash_ids) FROM (SELECT * REPLACE (hash_ids::BIGINT[] AS hash_ids)
      FROM ${`read_csv(${literal(file('lists.csv'))})`})`,
      'doubles.parquet',
    );
    expect((await loadTrace(file('doubles.parquet'))).blockIds).toEqual(['1', '2', '3']);
  });

  it('out of order keeps rows of one time as they stand', async () => {
    await write(
      'SELECT (200000 - i) // 1000 AS timestamp, i AS context, 10 AS inputTokens FROM range(200000) AS t(i)',
      'backwards.parquet',
    );
    const { blocks, blockIds, timestampSeconds } = await loadTrace(file('backwards.parquet'));
    for (let r = 1; r < blocks.length; r++)
      if (
        timestampSeconds[r] === timestampSeconds[r - 1] &&
        !(Number(blockIds[blocks[r]!]) > Number(blockIds[blocks[r - 1]!]))
      )
        expect.fail(`request ${r}`);
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

  it('names what is wrong with it', async () => {
    await write('SELECT 1 AS a, 2 AS b', 'other.parquet');
    await expect(loadTrace(file('other.parquet'))).rejects.toThrow(
      /this table is no request log; its columns are a, b\. Expected timestamp with/,
    );
    await expect(loadTrace(file('missing.parquet'))).rejects.toThrow(/missing\.parquet: no such file/);
    await expect(loadTrace(folder, { format: 'table' })).rejects.toThrow(/this is a folder/);
    writeFileSync(file('torn.parquet'), 'PAR1 and no more');
    await expect(loadTrace(file('torn.parquet'))).rejects.toThrow(/DuckDB cannot read this table/);
    await write('SELECT 1 AS timestamp, 1 AS request, 7 AS block', 'short.parquet');
    await expect(loadTrace(file('short.parquet'))).rejects.toThrow(/--block-tokens/);
    expect((await loadTrace(file('short.parquet'), { blockTokens: 16 })).inputTokens[0]).toBe(16);
  });
});
