import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AwsSettings, awsSettings } from '../../aws-credentials.js';
import { EvicpressError, printable } from '../../errors.js';
import { cacheFolder } from '../../formats/cache-folder.js';
import { type HeavyPackage, installHeavyPackage } from '../../heavy-package.js';
import type { OnProgress } from '../../progress.js';

const DUCKDB: HeavyPackage = { name: '@duckdb/node-api', version: '1.5.6-r.1', megabytes: 70 };
/** What DuckDB may hold in memory, and beyond that in a folder of its own. */
const MEMORY = '1GB';
const LARGEST_SPILL = '64GB';

/** The part of DuckDB's package that we use. */
interface DuckDb {
  readonly DuckDBInstance: {
    create(path: string, options: Readonly<Record<string, string>>): Promise<Instance>;
  };
}
interface Instance {
  connect(): Promise<Connection>;
  closeSync(): void;
}
interface Connection {
  run(sql: string): Promise<unknown>;
  runAndReadAll(sql: string): Promise<{ getRowObjects(): Record<string, unknown>[] }>;
  stream(sql: string): Promise<{ fetchChunk(): Promise<Chunk | null | undefined> }>;
  closeSync(): void;
}

/** Some thousand rows of a result, column by column. */
export interface Chunk {
  readonly rowCount: number;
  getColumnVector(column: number): Vector;
}

/** A column of a chunk; one of doubles has them in `items`. */
export interface Vector {
  readonly items?: Float64Array;
  getItem(row: number): unknown;
}

/** Text as a literal of SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** DuckDB over nothing but the files it is asked to read; it spills to a folder that goes with it. */
export class TableEngine {
  private constructor(
    private readonly instance: Instance,
    private readonly connection: Connection,
    private readonly spill: string,
  ) {}

  /** @throws EvicpressError where DuckDB cannot be had. */
  static async open(onProgress: OnProgress): Promise<TableEngine> {
    let duckdb: DuckDb;
    try {
      duckdb = await loadDuckDb(onProgress);
    } catch (error) {
      throw new EvicpressError(
        `Tables (Parquet, CSV and JSON files of any size) are read by DuckDB, which cannot be had: ${printable((error as Error).message, 300)}. Install it beside evicpress: npm install ${DUCKDB.name}@${DUCKDB.version}`,
      );
    }
    const spill = await mkdtemp(join(tmpdir(), 'evicpress-spill-'));
    const instance = await duckdb.DuckDBInstance.create(':memory:', {
      memory_limit: MEMORY,
      temp_directory: spill,
      max_temp_directory_size: LARGEST_SPILL,
    });
    return new TableEngine(instance, await instance.connect(), spill);
  }

  /**
   * Lets it read `s3://` as the AWS tools would, unsigned where there are no keys.
   * @throws EvicpressError where DuckDB's extension for it cannot be had.
   */
  async useS3(settings: AwsSettings = awsSettings()): Promise<void> {
    try {
      await this.connection.run('INSTALL httpfs; LOAD httpfs');
    } catch (error) {
      const [line] = (error as Error).message.split('\n');
      throw new EvicpressError(
        `Tables in S3 are read by DuckDB's extension httpfs, which cannot be had: ${printable(line!, 300)}. Copy the table to this machine instead (aws s3 cp).`,
      );
    }
    const { endpoint } = settings;
    const options = [
      ['KEY_ID', settings.accessKeyId],
      ['SECRET', settings.secretAccessKey],
      ['SESSION_TOKEN', settings.sessionToken],
      ['REGION', settings.region],
      ['ENDPOINT', endpoint?.replace(/^https?:\/\/|\/+$/g, '')],
      ['URL_STYLE', endpoint === undefined ? undefined : 'path'],
    ].flatMap(([name, value]) => (value === undefined ? [] : [`, ${name} ${literal(value)}`]));
    const ssl = endpoint?.startsWith('http:') === true ? ', USE_SSL false' : '';
    await this.connection.run(`CREATE SECRET (TYPE s3${options.join('')}${ssl})`);
  }

  /** A small result as a whole. */
  async rows(sql: string): Promise<Record<string, unknown>[]> {
    return (await this.connection.runAndReadAll(sql)).getRowObjects();
  }

  /** A result of any size, chunk by chunk. */
  async *chunks(sql: string): AsyncGenerator<Chunk> {
    const result = await this.connection.stream(sql);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk == null || chunk.rowCount === 0) return;
      yield chunk;
    }
  }

  async close(): Promise<void> {
    this.connection.closeSync();
    this.instance.closeSync();
    await rm(this.spill, { recursive: true, force: true });
  }
}

/** DuckDB from beside ours where it is installed there, else from the cache folder. */
async function loadDuckDb(onProgress: OnProgress): Promise<DuckDb> {
  try {
    return createRequire(import.meta.url)(DUCKDB.name) as DuckDb;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
  }
  const folder = await installHeavyPackage(DUCKDB, cacheFolder(), onProgress);
  return createRequire(join(folder, 'package.json'))(DUCKDB.name) as DuckDb;
}
