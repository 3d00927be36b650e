import type { MethodRow, Metric } from '../formats/methods.js';
import { ANY_CONTEXT } from '../formats/names.js';
import type { Calibration } from './calibration.js';
import type { JournalEntry } from './journal.js';
import type { ProfiledContext, Runner } from './runner.js';
import { mean, standardDeviation, standardError } from './statistics.js';
import { taskScores } from './task-scores.js';

export interface RowSettings {
  readonly runner: Pick<Runner, 'name' | 'model'>;
  readonly contexts: readonly ProfiledContext[];
  readonly metric: Metric;
  /** Queries from this place on are held out: measured, but no part of the quality. */
  readonly heldOutFrom?: (context: ProfiledContext) => number;
  /** For `calibrated-similarity`: what an agreement is worth. */
  readonly calibration?: Calibration;
}

/** One row per configuration that was measured; those that failed have none. */
export function measuredRows(settings: RowSettings, entries: readonly JournalEntry[]): MethodRow[] {
  const contexts = new Map(settings.contexts.map((context) => [context.context, context]));
  return entries.flatMap((entry) => contextRow(settings, contexts.get(entry.context)!, entry) ?? []);
}

/** Rows for contexts nobody has profiled: pooled per class, then over all contexts. */
export function pooledRows(rows: readonly MethodRow[]): MethodRow[] {
  const classes = [...new Set(rows.flatMap((row) => row.class ?? []))].sort();
  return [...classes, undefined].flatMap((name) =>
    pool(name === undefined ? rows : rows.filter((row) => row.class === name), name),
  );
}

function contextRow(
  { runner, metric, heldOutFrom, calibration }: RowSettings,
  context: ProfiledContext,
  entry: JournalEntry,
): MethodRow | undefined {
  const { measurement, similarity, tokens, fullBytes } = entry;
  if (measurement === undefined || fullBytes === undefined) return undefined;
  const values = qualities(entry, metric, calibration);
  if (values === undefined) return undefined;
  const places = entry.asked ?? values.map((_, i) => i);
  const limit = heldOutFrom?.(context) ?? Number.POSITIVE_INFINITY;
  const own = <T>(list: readonly T[]) => list.filter((_, i) => places[i]! < limit);
  const heldOut = values.filter((_, i) => places[i]! >= limit);
  if (own(values).length === 0) return undefined;
  return {
    context: entry.context,
    ...(context.class === undefined ? {} : { class: context.class }),
    tokens,
    fullBytes,
    method: entry.method,
    compressionRatio: entry.compressionRatio,
    storedBytes: measurement.storedBytes,
    quality: rounded(mean(own(values))),
    ...errorOf(own(values), metric === 'calibrated-similarity' ? calibration?.rmsError : undefined),
    ...(heldOut.length === 0 ? {} : { heldOutQuality: rounded(mean(heldOut)) }),
    ...average('tokenAgreement', own(measurement.tokenAgreement)),
    ...average('klDivergence', own(measurement.klDivergence)),
    ...(similarity === undefined || metric === 'answer-similarity'
      ? {}
      : average('answerSimilarity', own(similarity))),
    ...scores(context, entry, places),
    queries: own(values).length,
    metric,
    compressSeconds: rounded(measurement.compressSeconds),
    decompressSeconds: rounded(measurement.decompressSeconds),
    ...average('ttftSeconds', measurement.ttftSeconds ?? []),
    ...average('fullTtftSeconds', measurement.fullTtftSeconds ?? []),
    model: runner.model,
    runner: runner.name,
  };
}

/** The metric per query asked; undefined where it was not measured. */
function qualities(
  { measurement, similarity }: JournalEntry,
  metric: Metric,
  calibration: Calibration | undefined,
): readonly number[] | undefined {
  const agreement = measurement!.tokenAgreement;
  if (metric === 'answer-similarity') return similarity;
  if (metric === 'token-agreement') return agreement.length > 0 ? agreement : undefined;
  // The curve was learned from means over queries; applied to each of them it would be too steep.
  const centre = calibration?.predict(mean(agreement));
  return centre === undefined ? undefined : agreement.map(() => centre);
}

/** Exact match and F1 of the answers from the compressed and from the full cache, where right answers are given. */
function scores(
  { answers }: ProfiledContext,
  { measurement, referenceAnswers }: JournalEntry,
  places: readonly number[],
): Partial<MethodRow> {
  const judged = places.flatMap((place, i) => {
    const right = answers?.[place];
    const answer = measurement?.answers[i];
    const full = referenceAnswers?.[i];
    if (right === undefined || answer === undefined || full === undefined) return [];
    return [{ compressed: taskScores(answer, right), full: taskScores(full, right) }];
  });
  if (judged.length === 0) return {};
  return {
    exactMatch: rounded(mean(judged.map(({ compressed }) => compressed.exactMatch))),
    f1: rounded(mean(judged.map(({ compressed }) => compressed.f1))),
    fullExactMatch: rounded(mean(judged.map(({ full }) => full.exactMatch))),
    fullF1: rounded(mean(judged.map(({ full }) => full.f1))),
  };
}

/** What a pooled row says of these figures is their mean over the contexts that have them. */
const AVERAGED = [
  'tokenAgreement',
  'klDivergence',
  'answerSimilarity',
  'heldOutQuality',
  'exactMatch',
  'f1',
  'fullExactMatch',
  'fullF1',
  'compressSeconds',
  'decompressSeconds',
  'ttftSeconds',
  'fullTtftSeconds',
] as const;

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
  // A configuration known in a few contexts only, those where it promised most, does not speak for all.
  const shared = [...groups.values()].filter((group) => 2 * group.length >= contexts);
  return shared.map((group) => {
    const { method, compressionRatio, metric, model, runner } = group[0]!;
    const averageOf = (value: (row: MethodRow) => number | undefined) =>
      mean(group.flatMap((row) => value(row) ?? []));
    const figures = AVERAGED.flatMap((name) => {
      const value = averageOf((row) => row[name] as number | undefined);
      return Number.isNaN(value) ? [] : [[name, rounded(value)]];
    });
    const measured = group.filter((row) => row.estimated !== true);
    return {
      context: ANY_CONTEXT,
      ...(className === undefined ? {} : { class: className }),
      tokens: Math.round(averageOf((row) => row.tokens)),
      fullBytes: Math.round(averageOf((row) => row.fullBytes)),
      method,
      compressionRatio,
      storedBytes: Math.ceil(averageOf((row) => row.storedBytes)),
      quality: rounded(averageOf((row) => row.quality)),
      ...spreadOf(group),
      ...Object.fromEntries(figures),
      queries: group.reduce((sum, row) => sum + (row.queries ?? 0), 0),
      contexts: measured.length,
      ...(measured.length < group.length ? { estimatedContexts: group.length - measured.length } : {}),
      metric,
      model,
      runner,
    } as MethodRow;
  });
}

/**
 * The standard error of the mean over contexts, and the deviation between them. What is only believed of contexts
 * lies closer together than they do, by the variance of the belief; and it may be wrong in all of them alike.
 */
function spreadOf(group: readonly MethodRow[]): Partial<MethodRow> {
  const qualities = group.map((row) => row.quality);
  const spread = standardDeviation(qualities);
  if (spread !== undefined) {
    const doubts = group.map((row) => (row.estimated === true ? (row.qualityStdError ?? 0) : 0));
    const unseen = mean(doubts.map((doubt) => doubt ** 2));
    return {
      qualityStdError: rounded(Math.hypot(standardError(qualities)!, mean(doubts))),
      qualitySpread: rounded(Math.sqrt(spread ** 2 + unseen)),
    };
  }
  const { qualityStdError } = group[0]!;
  return qualityStdError === undefined ? {} : { qualityStdError };
}

/** @param further an error of the metric itself, which more queries do not lessen. */
function errorOf(values: readonly number[], further = 0): { qualityStdError?: number } {
  const error = standardError(values);
  if (error === undefined && further === 0) return {};
  return { qualityStdError: rounded(Math.hypot(error ?? 0, further)) };
}

function average(name: string, values: readonly number[]): Record<string, number> {
  return values.length === 0 ? {} : { [name]: rounded(mean(values)) };
}

/** Six decimals: more than any of these figures can mean. */
export function rounded(value: number): number {
  return Number(value.toFixed(6));
}
