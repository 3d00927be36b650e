import { EvicpressError, printable } from '../../errors.js';
import type { Reuse } from '../trace.js';

const WHOLE = /^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/;
/** Whole numbers below are exact in a double, and read as numbers elsewhere, too. */
const LARGEST_NUMBER = 10 ** 15;
const LABELS = ['class', 'session', 'tenant'] as const;
export type Label = (typeof LABELS)[number];

/** A column of a table as DuckDB describes it. */
export interface TableColumn {
  readonly name: string;
  readonly type: string;
}

/** How a table becomes requests. */
export interface TableShape {
  /** Each row is one access; else each is a request, with a list of block ids or with one context. */
  readonly accesses: boolean;
  readonly reuse: Reuse;
  /** Whether ids come in lists. */
  readonly list: boolean;
  /** Whether all ids of a row can be read as numbers, where they are whole numbers at all. */
  readonly numericIds: string | undefined;
  /** What a row must fulfil. */
  readonly valid: string;
  readonly order: readonly string[];
  /** Labels that the table has, in the order of their columns. */
  readonly labels: readonly Label[];
  /**
   * The columns to read: whether a request begins (1) or goes on (0), time in seconds, input tokens (−1 where the
   * table does not say), output tokens, tokens of the document, ids (doubles where `numeric`, else text), labels.
   */
  select(numeric: boolean): readonly string[];
}

/** @throws EvicpressError where the columns are no request log's. */
export function shapeOf(path: string, columns: readonly TableColumn[]): TableShape {
  const typeOf = new Map(columns.map(({ name, type }) => [name, type]));
  const first = (...names: string[]) => names.find((name) => typeOf.has(name));
  const input = first('input_length', 'inputTokens');
  const output = first('output_length', 'outputTokens');
  const id = first('hash_ids', 'context', 'block');
  const accesses = id === 'block';
  if (!typeOf.has('timestamp') || id === undefined || (accesses ? first('request') : input) === undefined) {
    throw new EvicpressError(
      `${printable(path)}: this table is no request log; its columns are ${columns.map(({ name }) => printable(name, 40)).join(', ')}. Expected timestamp with input_length and hash_ids, or with inputTokens and context, or with request and block (docs/formats.md).`,
    );
  }
  const time = timeOf(typeOf.get('timestamp')!, id === 'hash_ids');
  const type = typeOf.get(id)!;
  const list = type.endsWith('[]');
  const number = (name: string | undefined, otherwise: string) =>
    name === undefined ? otherwise : `coalesce(${quoted(name)}::DOUBLE, ${otherwise})`;
  const labels = LABELS.filter((label) => first(...namesOf(label)) !== undefined);
  return {
    accesses,
    reuse: id === 'context' ? 'documents' : 'prefix',
    list,
    numericIds: WHOLE.test(type.replace(/\[\]$/, '')) ? isNumeric(quoted(id), list) : undefined,
    valid: [
      isCount(time),
      `${quoted(id)} IS NOT NULL`,
      ...(input === undefined ? [] : [isCount(quoted(input))]),
      ...[output, first('contextTokens')].flatMap((name) =>
        name === undefined ? [] : [`(${quoted(name)} IS NULL OR ${isCount(quoted(name))})`],
      ),
      ...(accesses ? ['request IS NOT NULL'] : []),
    ].join(' AND '),
    order: [time, ...(accesses ? ['request', ...(typeOf.has('position') ? ['position'] : [])] : [])],
    labels,
    select: (numeric) => [
      accesses ? '(request IS DISTINCT FROM lag(request) OVER ())::DOUBLE' : '1::DOUBLE',
      time,
      number(input, '-1::DOUBLE'),
      number(output, '0::DOUBLE'),
      id === 'context' ? number(first('contextTokens'), number(input, '0::DOUBLE')) : '0::DOUBLE',
      `${quoted(id)}::${numeric ? 'DOUBLE' : 'VARCHAR'}${list ? '[]' : ''}`,
      ...labels.map((label) => `${quoted(first(...namesOf(label))!)}::VARCHAR`),
    ],
  };
}

function namesOf(label: Label): string[] {
  return label === 'session' ? ['session', 'session_id'] : [label];
}

/** Whether this is a number ≥ 0; NaN is to DuckDB above them all. */
function isCount(value: string): string {
  return `(${value} >= 0 AND isfinite(${value}::DOUBLE))`;
}

/** Negative ids (signed hashes) are told apart as text. */
function isNumeric(id: string, list: boolean): string {
  return list
    ? `list_min(${id}) >= 0 AND list_max(${id}) < ${LARGEST_NUMBER}`
    : `${id} >= 0 AND ${id} < ${LARGEST_NUMBER}`;
}

/** Seconds: of a time stamp, of Mooncake's milliseconds, or as they are. */
function timeOf(type: string, milliseconds: boolean): string {
  if (/^(TIMESTAMP|DATE)/.test(type)) return 'epoch("timestamp")';
  return milliseconds ? '("timestamp"::DOUBLE / 1000)' : '"timestamp"::DOUBLE';
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
