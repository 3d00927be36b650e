import { ANY_CONTEXT, type MethodRow } from '../formats/methods.js';
import type { Terminal } from './terminal.js';

/** Prints what each method and ratio did on average over all contexts, and in the worst of them. */
export function methodsTable(terminal: Terminal, rows: readonly MethodRow[]): void {
  const pooled = rows.filter((row) => row.context === ANY_CONTEXT && row.class === undefined);
  const body = pooled.map((row) => {
    const own = rows.filter(
      (other) =>
        other.context !== ANY_CONTEXT &&
        other.method === row.method &&
        other.compressionRatio === row.compressionRatio,
    );
    const worst = Math.min(...own.map((other) => other.quality));
    const error = row.qualityStdError === undefined ? '' : ` ± ${row.qualityStdError.toFixed(3)}`;
    return [
      row.method,
      row.compressionRatio.toFixed(2),
      (row.storedBytes / row.fullBytes).toFixed(3),
      `${row.quality.toFixed(3)}${error}`,
      worst.toFixed(3),
      row.tokenAgreement?.toFixed(3) ?? '',
      row.klDivergence?.toFixed(4) ?? '',
    ];
  });
  terminal.table(
    ['method', 'ratio', 'stored', 'quality', 'worst context', 'token agreement', 'KL (nats)'],
    body,
  );
}
