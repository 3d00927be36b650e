import type { MethodRow } from '../formats/methods.js';
import { ANY_CONTEXT } from '../formats/names.js';
import { groupBy } from './group-by.js';
import type { Terminal } from './terminal.js';

/** Shares of the bytes within which the best form of a context is named. */
const BUDGETS = [1 / 2, 1 / 3, 1 / 10] as const;
/** Scales and offsets come on top of what a ratio keeps: a form that removes half takes a little more than half. */
const ON_TOP = 0.04;
/** More contexts than this are not listed one by one. */
const MOST = 12;

/** The form with the best quality within about a share of the bytes; undefined where nothing is that small. */
export function bestWithin(rows: readonly MethodRow[], share: number): MethodRow | undefined {
  const small = rows.filter((row) => row.storedBytes <= (share + ON_TOP) * row.fullBytes);
  return small.reduce<MethodRow | undefined>(
    (best, row) => (best === undefined || row.quality > best.quality ? row : best),
    undefined,
  );
}

/** Prints what serves each context best within a half, a third and a tenth of its bytes: how contexts differ. */
export function contextTable(terminal: Terminal, rows: readonly MethodRow[]): void {
  const contexts = groupBy(
    rows.filter((row) => row.context !== ANY_CONTEXT),
    (row) => row.context,
  );
  if (contexts.size < 2) return;
  const cell = (row: MethodRow | undefined) => {
    if (row === undefined) return '–';
    const error = row.qualityStdError === undefined ? '' : ` ± ${row.qualityStdError.toFixed(2)}`;
    return `${row.method}@${row.compressionRatio} ${row.quality.toFixed(2)}${error}`;
  };
  terminal.table(
    ['context', 'best within half of the bytes', 'within a third', 'within a tenth'],
    [...contexts]
      .slice(0, MOST)
      .map(([context, own]) => [context, ...BUDGETS.map((share) => cell(bestWithin(own, share)))]),
  );
  if (contexts.size > MOST)
    terminal.say(`${contexts.size - MOST} more contexts: see them all with evicpress report.`);
}
