import { open } from 'node:fs/promises';
import { EvicpressError, errors, printable } from '../../errors.js';
import type { OnProgress } from '../../progress.js';
import { BlockSizeGuess } from '../block-size.js';
import { TraceBuilder } from '../builder.js';
import type { FormatOptions } from '../format.js';
import { requireLog } from '../lines.js';
import type { Trace } from '../trace.js';
import { type Chunk, literal, TableEngine, type Vector } from './duckdb.js';
import { isOneFile, PARQUET_MAGIC } from './recognise.js';
import { LARGEST_LENGTH, numbered, ROW, shapeOf, type TableShape } from './shape.js';

export interface TableOptions extends FormatOptions {
  readonly skipBad?: boolean;
  readonly onProgress?: OnProgress;
}

/**
 * Reads a table of requests, one row for each or one for each block they use, from a Parquet, CSV or JSON file,
 * local or in S3. DuckDB reads, checks and sorts it, within bounded memory; what stays in memory is the trace
 * (some 40 bytes a request and 4 a block access).
 * @throws EvicpressError where DuckDB is missing or the table is no request log.
 */
export async function readTable(path: string, options: TableOptions): Promise<Trace> {
  const engine = await TableEngine.open(options.onProgress ?? (() => undefined));
  try {
    if (path.startsWith('s3://')) await engine.useS3();
    return await readRequests(engine, path, options);
  } catch (error) {
    if (error instanceof EvicpressError) throw error;
    const [line] = (error as Error).message.split('\n');
    throw new EvicpressError(`${printable(path)}: DuckDB cannot read this table (${printable(line!, 300)}).`);
  } finally {
    await engine.close();
  }
}

async function readRequests(engine: TableEngine, path: string, options: TableOptions): Promise<Trace> {
  const table = await sourceOf(path);
  const columns = await engine.rows(`DESCRIBE SELECT * FROM ${table}`);
  const shape = shapeOf(
    path,
    columns.map((row) => ({ name: String(row.column_name), type: String(row.column_type) })),
  );
  const facts = await factsOf(engine, table, shape);
  if (facts.rows === 0) throw errors.emptyFile(path, 'at least one request');
  const first = `row ${facts.first}: ${printable(facts.fault ?? '')}`;
  if (facts.bad > 0 && options.skipBad !== true) {
    throw new EvicpressError(
      `${printable(path)}: ${facts.bad} of ${facts.rows} rows hold no request, the first: ${first} Pass --skip-bad to leave them out.`,
    );
  }
  if (facts.rows === facts.bad)
    throw errors.badFile(path, undefined, `no row holds a request, the first: ${first}`);
  const builder = new TraceBuilder(shape.reuse);
  if (facts.bad > 0)
    builder.warnings.push(
      `${facts.bad} row${facts.bad === 1 ? ' was' : 's were'} skipped, the first: ${first}`,
    );
  if (!shape.list) builder.reserve(facts.rows - facts.bad);
  const rows = new RowReader(builder, shape, facts.numeric, options);
  const good = `${shape.fault} IS NULL`;
  const source =
    facts.ordered && facts.bad === 0
      ? `(SELECT * FROM ${table} WHERE ${good})`
      : `(SELECT * FROM ${shape.order.includes(ROW) ? numbered(table) : table} WHERE ${good} ORDER BY ${shape.order.join(', ')})`;
  for await (const chunk of engine.chunks(`SELECT ${shape.select(facts.numeric).join(', ')} FROM ${source}`))
    rows.read(chunk, path);
  return rows.finish(path);
}

/** What DuckDB reads it with: by its content where it is one file here, by its name where it is many or elsewhere. */
async function sourceOf(path: string): Promise<string> {
  const name = literal(path);
  const isFile = isOneFile(path);
  if (isFile) await requireLog(path);
  if (/\.parquet$/.test(path) || (isFile && (await beginsAsParquet(path)))) return `read_parquet(${name})`;
  if (/\.(json|jsonl|ndjson)(\.gz|\.zst)?$/.test(path)) return `read_json(${name})`;
  return `read_csv(${name})`;
}

async function beginsAsParquet(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(PARQUET_MAGIC.length), 0, PARQUET_MAGIC.length, 0);
    return buffer.toString('latin1') === PARQUET_MAGIC;
  } finally {
    await file.close();
  }
}

/** What has to be known before the rows are read, in one pass. */
async function factsOf(engine: TableEngine, table: string, shape: TableShape) {
  const order = `(${shape.order.join(', ')})`;
  const [row] = await engine.rows(
    `SELECT count(*)::DOUBLE AS rows, count(fault)::DOUBLE AS bad, min(${ROW}) FILTER (fault IS NOT NULL)::DOUBLE AS first,
      arg_min(fault, ${ROW}) FILTER (fault IS NOT NULL) AS fault,
      coalesce(bool_and(ordered), true) AS ordered, coalesce(bool_and(numeric), false) AS numeric
    FROM (SELECT ${ROW}, ${shape.fault} AS fault, ${order} >= lag(${order}) OVER () AS ordered,
      (${shape.numericIds ?? 'NULL::BOOLEAN'}) AS numeric FROM ${numbered(table)})`,
  );
  return row as Record<'rows' | 'bad', number> &
    Record<'ordered' | 'numeric', boolean> & { readonly first: number | null; readonly fault: string | null };
}

/** Feeds rows to the builder; a request ends where the next one begins. */
class RowReader {
  private readonly guess: BlockSizeGuess;
  private readonly labels: { class?: string; session?: string; tenant?: string } = {};
  private time = 0;
  private input = 0;
  private output = 0;
  private open = false;

  constructor(
    private readonly builder: TraceBuilder,
    private readonly shape: TableShape,
    private readonly numeric: boolean,
    private readonly options: TableOptions,
  ) {
    this.guess = new BlockSizeGuess(options.blockTokens);
  }

  read(chunk: Chunk, path: string): void {
    const { builder, shape, labels } = this;
    const doubles = (column: number) => chunk.getColumnVector(column).items!;
    const [begins, time, input, output, tokens] = [0, 1, 2, 3, 4].map(doubles) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const ids = chunk.getColumnVector(5);
    const texts = shape.labels.map((_, i) => chunk.getColumnVector(6 + i));
    for (let row = 0; row < chunk.rowCount; row++) {
      if (begins[row] === 1) {
        this.endRequest(path);
        this.open = true;
        this.time = time[row]!;
        this.input = input[row]!;
        this.output = output[row]!;
        shape.labels.forEach((label, i) => {
          const text = texts[i]!.getItem(row);
          if (typeof text === 'string' && text !== '') labels[label] = text;
          else delete labels[label];
        });
      }
      if (shape.list) for (const id of itemsOf(ids, row)) builder.push(this.dense(id));
      else {
        const id = this.numeric ? builder.ids.ofNumber(ids.items![row]!) : this.dense(ids.getItem(row));
        if (shape.reuse === 'documents') builder.pushDocument(id, tokens[row]!);
        else builder.push(id);
      }
    }
  }

  finish(path: string): Trace {
    this.endRequest(path);
    return this.builder.finish(
      this.shape.reuse === 'documents' ? 0 : this.guess.blockTokens(this.builder.warnings),
    );
  }

  private dense(id: unknown): number {
    return this.builder.ids.of(typeof id === 'number' ? id : String(id));
  }

  private endRequest(path: string): void {
    if (!this.open) return;
    const { builder, guess, labels, options } = this;
    if (this.input < 0 && options.blockTokens === undefined) {
      throw new EvicpressError(
        `${printable(path)}: the table has no inputTokens. Say how long a block is with --block-tokens.`,
      );
    }
    const inputTokens = this.input < 0 ? builder.pending * options.blockTokens! : this.input;
    if (inputTokens >= LARGEST_LENGTH || this.output >= LARGEST_LENGTH) {
      throw new EvicpressError(
        `${printable(path)}: a request of ${Math.max(inputTokens, this.output)} tokens is too long.`,
      );
    }
    guess.see(inputTokens, builder.pending);
    builder.endRequest({ timestampSeconds: this.time, inputTokens, outputTokens: this.output, ...labels });
  }
}

/** The ids of a row that holds a list of them. */
function itemsOf(vector: Vector, row: number): readonly unknown[] {
  const list = vector.getItem(row) as { readonly items: readonly unknown[] } | null;
  return list?.items ?? [];
}
