import type { MethodRow, Metric } from '../formats/methods.js';
import type { Spender } from './budget/spender.js';
import { type Calibration, calibrate } from './calibration.js';
import { type ClassReport, reportClasses } from './classes.js';
import type { JournalEntry } from './journal.js';
import type { Profiled } from './profile-run.js';
import { measuredRows, pooledRows, type RowSettings, rounded } from './rows.js';
import type { Configuration } from './runner.js';
import { mean } from './statistics.js';

/** What a run has found out, ready to be written. */
export interface ProfileResult {
  readonly rows: readonly MethodRow[];
  readonly calibration?: Calibration;
  readonly classes?: ClassReport;
  /** Mean of |quality − quality on the queries held out| over configurations, where queries were held out. */
  readonly heldOutError?: number;
}

export interface ProfileSettings extends Omit<RowSettings, 'metric' | 'calibration'> {
  readonly configurations: readonly Configuration[];
  readonly metrics: readonly Metric[];
}

/**
 * The rows of every metric: what was measured, under a budget what is estimated in between, and what stands for
 * contexts nobody has profiled. Contexts without a class get the one their prefill points to, where that has been
 * seen to predict better than the mean of all.
 */
export function buildProfile(settings: ProfileSettings, { entries, spender }: Profiled): ProfileResult {
  const calibration = calibrate(pairsOf(entries));
  const classes = classesOf(settings, entries);
  const contexts = settings.contexts.map((context) => {
    const features = entries.find((entry) => entry.context === context.context)?.features;
    if (context.class !== undefined || classes?.assign === undefined || features === undefined)
      return context;
    return { ...context, class: classes.assign(features) };
  });
  const rows = settings.metrics.flatMap((metric) => {
    const measured = measuredRows(
      { ...settings, contexts, metric, ...(calibration && { calibration }) },
      entries,
    );
    const whole =
      spender === undefined ? measured : withEstimates(measured, settings.configurations, spender);
    return [...whole, ...pooledRows(whole)];
  });
  const heldOut = rows.flatMap((row) =>
    typeof row.heldOutQuality === 'number' && row.context !== '*'
      ? [Math.abs(row.quality - row.heldOutQuality)]
      : [],
  );
  return {
    rows,
    ...(calibration && { calibration }),
    ...(classes && { classes }),
    ...(heldOut.length > 0 ? { heldOutError: rounded(mean(heldOut)) } : {}),
  };
}

function pairsOf(entries: readonly JournalEntry[]) {
  return entries.flatMap(({ context, measurement, similarity }) =>
    similarity === undefined || measurement === undefined || measurement.tokenAgreement.length === 0
      ? []
      : [{ context, tokenAgreement: mean(measurement.tokenAgreement), similarity: mean(similarity) }],
  );
}

/** Classes are judged on token agreement, which is the steadier metric; on similarity where there is no other. */
function classesOf({ contexts }: ProfileSettings, entries: readonly JournalEntry[]): ClassReport | undefined {
  return reportClasses(
    contexts.flatMap((context) => {
      const own = entries.filter(
        (entry) => entry.context === context.context && entry.measurement !== undefined,
      );
      const features = own[0]?.features;
      if (features === undefined) return [];
      const quality = new Map(
        own.map(({ method, compressionRatio, measurement }) => [
          `${method}@${compressionRatio}`,
          mean(measurement!.tokenAgreement),
        ]),
      );
      return [
        { context: context.context, ...(context.class && { class: context.class }), features, quality },
      ];
    }),
  );
}

/**
 * The measured rows, and one for every configuration of a profiled context that was not: its quality is what is
 * believed of it (budget/population.ts), its standard error how sure that is, its bytes and seconds in proportion to
 * those measured elsewhere. `estimated` says so, and no query stands behind it.
 */
function withEstimates(
  rows: readonly MethodRow[],
  cells: readonly Configuration[],
  spender: Spender,
): MethodRow[] {
  const contexts = new Map(rows.map((row) => [row.context, row]));
  return [...contexts].flatMap(([context, example]) => {
    const belief = spender.belief(context);
    return cells.flatMap(({ method, compressionRatio }, cell) => {
      const measured = rows.find(
        (row) =>
          row.context === context && row.method === method && row.compressionRatio === compressionRatio,
      );
      if (measured !== undefined) return [measured];
      if (spender.failed(context, cell)) return [];
      const { class: name, tokens, fullBytes, metric, model, runner } = example;
      return [
        {
          context,
          ...(name === undefined ? {} : { class: name }),
          tokens,
          fullBytes,
          method,
          compressionRatio,
          storedBytes: Math.ceil(fullBytes * spender.storedShare(cell)),
          quality: rounded(belief.mean[cell]!),
          qualityStdError: rounded(belief.deviation[cell]!),
          queries: 0,
          estimated: true,
          metric,
          ...spender.seconds(cell, fullBytes),
          model,
          runner,
        },
      ];
    });
  });
}
