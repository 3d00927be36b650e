import { ANY_CONTEXT, type MethodRow } from '../formats/methods.js';
import type { JournalEntry } from './journal.js';
import type { ProfiledContext, Runner } from './runner.js';
import { mean, standardDeviation, standardError } from './statistics.js';

/** What `quality` means in a profile. */
export const METRICS = ['answer-similarity', 'token-agreement'] as const;
export type Metric = (typeof METRICS)[number];

/**
 * The rows of a method profile: one per context and configuration, then rows for contexts nobody has profiled,
 * pooled per class and over all contexts. Configurations that failed have no row.
 */
export function methodRows(
  runner: Pick<Runner, 'name' | 'model'>,
  contexts: readonly ProfiledContext[],
  entries: readonly JournalEntry[],
  metric: Metric,
): MethodRow[] {
  const classOf = new Map(contexts.map((context) => [context.context, context.class]));
  const rows = entries.flatMap((entry) => {
    const row = contextRow(entry, classOf.get(entry.context), metric);
    return row === undefined ? [] : [{ ...row, model: runner.model, runner: runner.name }];
  });
  const classes = [...new Set(rows.flatMap((row) => (row.class === undefined ? [] : [row.class])))].sort();
  return [
    ...rows,
    ...classes.flatMap((name) =>
      pool(
        rows.filter((row) => row.class === name),
        name,
      ),
    ),
    ...pool(rows, undefined),
  ];
}

function contextRow(
  entry: JournalEntry,
  className: string | undefined,
  metric: Metric,
): MethodRow | undefined {
  const { measurement, similarity, tokens, fullBytes } = entry;
  if (measurement === undefined || similarity === undefined || fullBytes === undefined) return undefined;
  const values = metric === 'answer-similarity' ? similarity : measurement.tokenAgreement;
  return {
    context: entry.context,
    ...(className === undefined ? {} : { class: className }),
    tokens,
    fullBytes,
    method: entry.method,
    compressionRatio: entry.compressionRatio,
    storedBytes: measurement.storedBytes,
    quality: rounded(mean(values)),
    ...errorOf(values),
    tokenAgreement: rounded(mean(measurement.tokenAgreement)),
    klDivergence: rounded(mean(measurement.klDivergence)),
    queries: values.length,
    metric,
    compressSeconds: rounded(measurement.compressSeconds),
    decompressSeconds: rounded(measurement.decompressSeconds),
  };
}

/**
 * One row per method and ratio for a context of this class that was not profiled: bytes and seconds in
 * proportion to the full bytes, and the mean quality of the profiled contexts with its standard error over them.
 * `qualitySpread` is the standard deviation between contexts: how far a single one may lie from the mean.
 */
function pool(rows: readonly MethodRow[], className: string | undefined): MethodRow[] {
  const groups = new Map<string, MethodRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.method, row.compressionRatio]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const contexts = new Set(rows.map((row) => row.context)).size;
  // Under a budget a configuration is measured where it promises most: a few such contexts do not speak for all.
  const shared = [...groups.values()].filter((group) => 2 * group.length >= contexts);
  return shared.map((group) => {
    const { method, compressionRatio, metric, model, runner } = group[0]!;
    const average = (value: (row: MethodRow) => number | undefined) =>
      mean(group.map((row) => value(row) ?? 0));
    const qualities = group.map((row) => row.quality);
    const spread = standardDeviation(qualities);
    return {
      context: ANY_CONTEXT,
      ...(className === undefined ? {} : { class: className }),
      tokens: Math.round(average((row) => row.tokens)),
      fullBytes: Math.round(average((row) => row.fullBytes)),
      method,
      compressionRatio,
      storedBytes: Math.ceil(average((row) => row.storedBytes)),
      quality: rounded(mean(qualities)),
      ...(spread === undefined
        ? singleError(group[0]!)
        : { qualityStdError: rounded(standardError(qualities)!), qualitySpread: rounded(spread) }),
      tokenAgreement: rounded(average((row) => row.tokenAgreement)),
      klDivergence: rounded(average((row) => row.klDivergence)),
      queries: group.reduce((sum, row) => sum + (row.queries ?? 0), 0),
      contexts: group.length,
      metric,
      compressSeconds: rounded(average((row) => row.compressSeconds)),
      decompressSeconds: rounded(average((row) => row.decompressSeconds)),
      model,
      runner,
    };
  });
}

function singleError({ qualityStdError }: MethodRow): { qualityStdError?: number } {
  return qualityStdError === undefined ? {} : { qualityStdError };
}

function errorOf(values: readonly number[]): { qualityStdError?: number } {
  const error = standardError(values);
  return error === undefined ? {} : { qualityStdError: rounded(error) };
}

/** Six decimals: more than any of these figures can mean. */
function rounded(value: number): number {
  return Number(value.toFixed(6));
}
