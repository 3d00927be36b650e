import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findAwsAccess } from '../../../src/aws-credentials.js';
import { S3Client } from '../../../src/tiers/s3-client.js';
import { columnsToBytes } from '../../../src/traces/columns-file.js';
import { loadTrace } from '../../../src/traces/load.js';
import { literal, TableEngine } from '../../../src/traces/table/duckdb.js';
import type { Trace } from '../../../src/traces/trace.js';
import { installS3Server, type S3Server } from '../../support/s3-server.js';
import { BUNDLED_LOG, bundledLog } from '../logs.js';

/** Whether DuckDB's extension for S3 is there, or can be downloaded. */
async function hasExtension(): Promise<boolean> {
  const engine = await TableEngine.open(() => undefined);
  try {
    await engine.useS3({ region: 'us-east-1' });
    return true;
  } catch (error) {
    console.log((error as Error).message);
    return false;
  } finally {
    await engine.close();
  }
}

const installed = (await hasExtension()) ? installS3Server() : undefined;
afterAll(() => installed?.remove());

/** All of a trace but what it says of itself. */
const bytesOf = (trace: Trace) => Buffer.concat(columnsToBytes({ ...trace, warnings: [] }));

describe.skipIf(installed === undefined)('a table in S3 (s3rver from npm)', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await installed!.start();
    for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
    const engine = await TableEngine.open(() => undefined);
    const log = `read_json(${literal(BUNDLED_LOG)})`;
    const client = new S3Client(findAwsAccess(), 'cache', 4);
    for (const kind of ['parquet', 'json']) {
      const path = join(server.data, `requests.${kind}`);
      await engine.rows(`COPY (SELECT * FROM ${log}) TO ${literal(path)}`);
      await client.put(`logs/requests.${kind}`, readFileSync(path));
    }
    client.close();
    await engine.close();
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    server.stop();
  });

  it.each(['requests.parquet', 'requests.json', '*.parquet'])('is read like one here: %s', async (name) => {
    const trace = await loadTrace(`s3://cache/logs/${name}`);
    expect(bytesOf(trace).equals(bytesOf(await bundledLog()))).toBe(true);
  });

  it('that is not there is refused in one line', async () => {
    await expect(loadTrace('s3://cache/logs/none.parquet')).rejects.toThrow(
      /none\.parquet: DuckDB cannot read/,
    );
  });
});
