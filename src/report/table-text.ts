import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import { printable } from '../errors.js';
import { paint } from './colour.js';

/** Between two columns. */
const GAP = 2;
/** A column of words gives way to a narrow terminal down to this many characters. */
const LEAST_WORDS = 24;

/** A figure with its unit, a count, a share, a mark: what is compared down a column. */
const FIGURE = /^[<≈~±+−-]?\s?[\d.,]+(e[+-]?\d+)?(\s?(%|[a-zµ/]{1,6}|[KMGTP]i?B(\/s)?))?( per \w+)?$/i;
const FIGURES_LIKE = new Set(['', '–', '-', '∞', 'unlimited', 'several', 'n/a']);

type Row = readonly string[];

/**
 * A table without vertical rules: columns of figures right-aligned, words left. Where it is wider than the
 * terminal, words are wrapped; where that is not enough, rows and columns change places; the last resort is a
 * block per row.
 * @param width columns of the terminal; undefined where nobody knows.
 */
export function fittingTable(head: Row, rows: readonly Row[], width: number | undefined): string {
  const safe = rows.map((row) => row.map(safeCell));
  const wide = tableText(head, safe);
  if (width === undefined || widthOf(wide) <= width) return wide;
  const wrapped = wrappedTable(head, safe, width);
  if (wrapped !== undefined) return wrapped;
  const turned = tableText(
    [head[0]!, ...safe.map((row) => row[0]!)],
    head.slice(1).map((name, i) => [name, ...safe.map((row) => row[i + 1]!)]),
    true,
  );
  return widthOf(turned) <= width ? turned : blocks(head, safe);
}

/** Colours and line ends, which a cell may have of us; all else that would steer a terminal comes from a file. */
const OURS = /(\u001b\[[\d;]*m|\n)/;

function safeCell(cell: string): string {
  return cell
    .split(OURS)
    .map((part, i) => (i % 2 === 1 ? part : printable(part, Number.POSITIVE_INFINITY)))
    .join('');
}

/** The table at its natural width. @param turned every column but the first holds one thing's figures. */
export function tableText(head: Row, rows: readonly Row[], turned = false): string {
  return drawn(
    head,
    rows,
    head.map((_, i) => (i > 0 && (turned || isOfFigures(rows, i)) ? 'right' : 'left')),
  );
}

function isOfFigures(rows: readonly Row[], column: number): boolean {
  const cells = rows.map((row) => stripVTControlCharacters(row[column] ?? '').trim());
  const figures = cells.filter((cell) => FIGURE.test(cell)).length;
  return figures > 0 && cells.every((cell) => FIGURE.test(cell) || FIGURES_LIKE.has(cell));
}

/** The widest column of words wrapped so that the table fits; undefined where too little would be left of it. */
function wrappedTable(head: Row, rows: readonly Row[], width: number): string | undefined {
  const widths = head.map((name, i) => Math.max(...[name, ...rows.map((row) => row[i] ?? '')].map(widthOf)));
  const longest = head.reduce(
    (best, _, i) => (!isOfFigures(rows, i) && (best < 0 || widths[i]! > widths[best]!) ? i : best),
    -1,
  );
  if (longest <= 0) return undefined;
  const others = widths.reduce((sum, each, i) => sum + (i === longest ? 0 : each), GAP * (head.length - 1));
  const room = width - others;
  if (room < LEAST_WORDS) return undefined;
  const aligned = head.map((_, i) => (i > 0 && isOfFigures(rows, i) ? 'right' : 'left') as 'left' | 'right');
  return drawn(
    head,
    rows,
    aligned,
    widths.map((each, i) => (i === longest ? room : each)),
  );
}

function drawn(
  head: Row,
  rows: readonly Row[],
  colAligns: ('left' | 'right')[],
  colWidths?: number[],
): string {
  const table = new Table({
    head: head.map((name) => paint('strong', name)),
    colAligns,
    ...(colWidths === undefined ? {} : { colWidths, wordWrap: true }),
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      right: '',
      'right-mid': '',
      mid: '',
      'mid-mid': '',
      middle: ' '.repeat(GAP),
    },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) table.push([...row]);
  const [first, ...rest] = table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
  const width = Math.max(...[first!, ...rest].map(widthOf));
  return [first, paint('faint', '─'.repeat(width)), ...rest].join('\n');
}

/** A block per row, a line per column that says something; the first column heads its block. */
function blocks(head: Row, rows: readonly Row[]): string {
  const margin = head.slice(1).reduce((width, name) => Math.max(width, name.length), 0);
  return rows
    .map(([first, ...rest]) => {
      const lines = rest.flatMap((cell, i) =>
        cell === '' ? [] : [`  ${head[i + 1]!.padEnd(margin)}  ${cell}`],
      );
      return [paint('strong', first!), ...lines].join('\n');
    })
    .join('\n');
}

function widthOf(text: string): number {
  return Math.max(...text.split('\n').map((line) => stripVTControlCharacters(line).length));
}
