import { createHash } from 'node:crypto';
import { EvicpressError, errors } from '../errors.js';
import type { OnProgress } from '../progress.js';
import type { Journal, JournalEntry } from './journal.js';
import type { Configuration, PreparedContext, ProfiledContext, Runner } from './runner.js';

export interface ProfileRun {
  readonly runner: Runner;
  readonly contexts: readonly ProfiledContext[];
  readonly configurations: readonly Configuration[];
  readonly maxAnswerTokens: number;
  readonly journal: Journal;
  readonly onProgress: OnProgress;
  readonly onWarning: (text: string) => void;
  /** Aborted by Ctrl-C: the configuration in flight is finished or dropped, the journal stays whole. */
  readonly signal: AbortSignal;
}

/**
 * Measures what the journal does not have yet: every context is prefilled once, every configuration works on a
 * copy of its cache and is written down before the next begins.
 * @returns the entries for these contexts and configurations, earlier runs' included, in a fixed order.
 * @throws EvicpressError with exit code 130 when interrupted.
 */
export async function runProfile(run: ProfileRun): Promise<readonly JournalEntry[]> {
  const { contexts, configurations, journal, onProgress } = run;
  const known = new Map(journal.entries.map((entry) => [keyOf(entry), entry]));
  const total = contexts.length * configurations.length;
  const missing = contexts.map((context) => {
    const inputs = fingerprint(run, context);
    return configurations.filter((each) => !known.has(keyOf({ context: context.context, inputs, ...each })));
  });
  const measured = { count: 0, seconds: 0 };
  let done = total - missing.reduce((sum, list) => sum + list.length, 0);
  for (const [index, context] of contexts.entries()) {
    if (missing[index]!.length === 0) continue;
    const inputs = fingerprint(run, context);
    stopIfInterrupted(run.signal);
    onProgress({ stage: `${context.context} prefill`, done, total });
    const prepared = await run.runner.prepare(context, run.maxAnswerTokens);
    if (prepared.cutTokens > 0) {
      run.onWarning(
        `context ${context.context} is ${prepared.cutTokens} tokens longer than the model's window: its end was cut off.`,
      );
    }
    for (const configuration of missing[index]!) {
      stopIfInterrupted(run.signal);
      const { method, compressionRatio } = configuration;
      const note =
        measured.count === 0
          ? undefined
          : `${(measured.count / measured.seconds).toFixed(2)} configurations/s`;
      onProgress({
        stage: `${context.context} ${method}@${compressionRatio}`,
        done,
        total,
        ...(note === undefined ? {} : { note }),
      });
      const startedAt = performance.now();
      const entry = {
        context: context.context,
        inputs,
        ...configuration,
        ...(await measure(run, prepared, configuration)),
      };
      measured.seconds += (performance.now() - startedAt) / 1000;
      measured.count++;
      if (entry.failed !== undefined)
        run.onWarning(`${context.context}, ${method}@${compressionRatio}: ${entry.failed}`);
      await journal.append(entry);
      known.set(keyOf(entry), entry);
      done++;
    }
  }
  onProgress({ stage: 'profiled', done: total, total });
  return contexts.flatMap((context) => {
    const inputs = fingerprint(run, context);
    return configurations.map((each) => known.get(keyOf({ context: context.context, inputs, ...each }))!);
  });
}

async function measure(
  { runner }: ProfileRun,
  prepared: PreparedContext,
  configuration: Configuration,
): Promise<Omit<JournalEntry, 'context' | 'inputs' | 'method' | 'compressionRatio'>> {
  try {
    const measurement = await prepared.measure(configuration);
    const similarity: number[] = [];
    for (const [i, answer] of measurement.answers.entries()) {
      similarity.push(await runner.similarity(prepared.referenceAnswers[i]!, answer));
    }
    const { tokens, fullBytes, prefillSeconds } = prepared;
    return { tokens, fullBytes, prefillSeconds, measurement, similarity };
  } catch (error) {
    if (error instanceof EvicpressError && error.exitCode === 1) return { failed: error.message };
    throw error;
  }
}

function stopIfInterrupted(signal: AbortSignal): void {
  if (signal.aborted) throw errors.interrupted('What was measured is kept; go on with --resume.');
}

function keyOf({ context, inputs, method, compressionRatio }: JournalEntry): string {
  return JSON.stringify([context, inputs, method, compressionRatio]);
}

function fingerprint({ runner, maxAnswerTokens }: ProfileRun, { text, queries }: ProfiledContext): string {
  const content = JSON.stringify([runner.name, runner.model, maxAnswerTokens, text, queries]);
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}
