import type { MethodRow, MethodsHeader } from '../formats/methods.js';
import { ANY_CONTEXT } from '../formats/names.js';
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

/** What a run found out about its own figures, a sentence each. */
export function findings(
  { calibration, classes, heldOutError }: Partial<MethodsHeader>,
  rows: readonly MethodRow[],
): string[] {
  const lines: string[] = [];
  if (calibration !== undefined) {
    const { contexts, rmsError, rmsErrorOfMean } = calibration;
    lines.push(
      `Token agreement tells the answer similarity of a context it was not learned from to ± ${rmsError.toFixed(3)} (root mean square, ${contexts} contexts left out one at a time); their mean alone to ± ${rmsErrorOfMean.toFixed(3)}.`,
    );
  }
  if (classes?.errorOfFeatures !== undefined && classes.errorOfDeclared !== undefined) {
    const { errorOfMean, errorOfDeclared, errorOfFeatures, agreement } = classes;
    lines.push(
      `The token agreement of a context nobody has profiled is known to ± ${errorOfMean.toFixed(3)} by the mean of all, ± ${errorOfDeclared.toFixed(3)} by the mean of its class (${classes.classes.join(', ')}), ± ${errorOfFeatures.toFixed(3)} by the class its prefill points to, which is the declared one in ${Math.round(100 * (agreement ?? 0))} % of contexts${errorOfFeatures < errorOfMean ? '' : ': the prefill is not used'}.`,
    );
  }
  if (heldOutError !== undefined) {
    lines.push(`On queries held out the quality differs by ${heldOutError.toFixed(3)} on average.`);
  }
  const judged = rows.filter(
    (row) => row.context === ANY_CONTEXT && row.class === undefined && row.f1 !== undefined,
  );
  if (judged.length > 0) {
    const worst = judged.reduce((a, b) => (b.f1! < a.f1! ? b : a));
    lines.push(
      `Against the answers given: F1 ${worst.fullF1!.toFixed(3)} from the full cache, at worst ${worst.f1!.toFixed(3)} (${worst.method}@${worst.compressionRatio}).`,
    );
  }
  return lines;
}
