import { EvicpressError, printable } from '../../errors.js';
import type { Reuse } from '../trace.js';
import { literal } from './duckdb.js';

const WHOLE = /^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/;
/** Whole numbers below are exact in a column of this type. */
const EXACT: Readonly<Record<string, number>> = { FLOAT: 2 ** 24, DOUBLE: 2 ** 53 };
/** Whole numbers below are exact in a double, and read as numbers elsewhere, too. */
const LARGEST_NUMBER = 10 ** 15;
/** Lengths are kept in 32 bits. */
export const LARGEST_LENGTH = 2 ** 31;
/** The column of `numbered`. */
export const ROW = 'evicpress_row';
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
  /** What is wrong with a row, in words; NULL where nothing is. */
  readonly fault: string;
  /** Of a `numbered` table, where it is not in order by itself. */
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
  // In CSV a list is text.
  const asList = id === 'hash_ids' && typeOf.get(id) === 'VARCHAR';
  const ids = asList ? `TRY_CAST(${quoted(id)} AS VARCHAR[])` : quoted(id);
  const type = asList ? 'VARCHAR[]' : typeOf.get(id)!;
  const list = type.endsWith('[]');
  const number = (name: string | undefined, otherwise: string) =>
    name === undefined ? otherwise : `coalesce(${lengthOf(name)}, ${otherwise})`;
  const labels = LABELS.filter((label) => first(...namesOf(label)) !== undefined);
  const hasPosition = accesses && typeOf.has('position');
  const checks = [
    check('timestamp', isCount(time), 'a time ≥ 0'),
    check(id, `${ids} IS NOT NULL`, list ? 'a list of ids' : 'an id'),
    ...idChecks(id, ids, type),
    ...(accesses ? [check('request', 'request IS NOT NULL', 'an id')] : []),
    ...(input === undefined ? [] : [lengthCheck(input, id === 'context' ? 1 : 0)]),
    ...(output === undefined ? [] : [lengthCheck(output, 0, 'optional')]),
    ...(id === 'context' && typeOf.has('contextTokens') ? [lengthCheck('contextTokens', 1, 'optional')] : []),
  ];
  return {
    accesses,
    reuse: id === 'context' ? 'documents' : 'prefix',
    list,
    numericIds: numericIds(ids, type),
    fault: `CASE ${checks.join(' ')} END`,
    // Sorting is not stable, and must give the same whatever comes first.
    order: [time, ...(accesses ? ['request'] : []), hasPosition ? 'position' : ROW],
    labels,
    select: (numeric) => [
      accesses ? '(request IS DISTINCT FROM lag(request) OVER ())::DOUBLE' : '1::DOUBLE',
      time,
      number(input, '-1::DOUBLE'),
      number(output, '0::DOUBLE'),
      id === 'context' ? number(first('contextTokens'), number(input, '0::DOUBLE')) : '0::DOUBLE',
      `${ids}::${numeric ? 'DOUBLE' : 'VARCHAR'}${list ? '[]' : ''}`,
      ...labels.map((label) => `${quoted(first(...namesOf(label))!)}::VARCHAR`),
    ],
  };
}

function namesOf(label: Label): string[] {
  return label === 'session' ? ['session', 'session_id'] : [label];
}

/** A table with its rows numbered from 1. */
export function numbered(table: string): string {
  return `(SELECT *, row_number() OVER () AS ${ROW} FROM ${table})`;
}

/** A branch of `fault`. */
function check(name: string, isFine: string, expected: string): string {
  return `WHEN (${isFine}) IS NOT TRUE THEN ${literal(`${name}: expected ${expected} (got `)} || coalesce(${quoted(name)}::VARCHAR, 'nothing') || ').'`;
}

/** What ids must be that are there. */
function idChecks(name: string, ids: string, type: string): string[] {
  const isList = type.endsWith('[]');
  const exactBelow = EXACT[type.replace('[]', '')];
  const [least, most] = isList ? [`list_min(${ids})`, `list_max(${ids})`] : [ids, ids];
  return [
    ...(isList ? [check(name, `list_aggregate(${ids}, 'count') = len(${ids})`, 'an id at every place')] : []),
    ...(type.startsWith('VARCHAR')
      ? [check(name, `coalesce(${least}, '_') <> ''`, 'ids that are not empty')]
      : []),
    ...(exactBelow === undefined
      ? []
      : [
          check(
            name,
            `coalesce(${most}, 0) < ${exactBelow} AND coalesce(${least}, 0) > -${exactBelow}`,
            `whole numbers or text: ${type} does not tell large ids apart`,
          ),
        ]),
  ];
}

/** @param optional whether it may be left out. */
function lengthCheck(name: string, least: number, optional?: 'optional'): string {
  const value = lengthOf(name);
  const isFine = `${value} >= ${least} AND ${value} < ${LARGEST_LENGTH} AND ${value} = trunc(${value})`;
  return check(
    name,
    optional === undefined ? isFine : `${quoted(name)} IS NULL OR (${isFine})`,
    `a whole number of tokens from ${least} to 2^31`,
  );
}

function lengthOf(name: string): string {
  return `TRY_CAST(${quoted(name)} AS DOUBLE)`;
}

/** Whether this is a number ≥ 0; NaN is to DuckDB above them all. */
function isCount(value: string): string {
  return `${value} >= 0 AND isfinite(${value})`;
}

/**
 * Whether all ids of a row are numbers, where their type has some. Negative ids (signed hashes) are told apart as text.
 */
function numericIds(ids: string, type: string): string | undefined {
  const isList = type.endsWith('[]');
  const isWhole = WHOLE.test(type.replace('[]', ''));
  if (!isWhole && EXACT[type.replace('[]', '')] === undefined) return undefined;
  const inRange = isList
    ? `list_min(${ids}) >= 0 AND list_max(${ids}) < ${LARGEST_NUMBER}`
    : `${ids} >= 0 AND ${ids} < ${LARGEST_NUMBER}`;
  if (isWhole) return inRange;
  return `${inRange} AND ${isList ? `list_transform(${ids}, lambda x: trunc(x))` : `trunc(${ids})`} = ${ids}`;
}

/** Seconds: of a time stamp, of Mooncake's milliseconds, or as they are. */
function timeOf(type: string, milliseconds: boolean): string {
  if (/^(TIMESTAMP|DATE)/.test(type)) return 'epoch("timestamp")';
  const number = 'TRY_CAST("timestamp" AS DOUBLE)';
  return milliseconds ? `(${number} / 1000)` : number;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
