import { createHash } from 'node:crypto';
import { EvicpressError, errors } from '../errors.js';
import type { OnProgress } from '../progress.js';
import type { Journal, JournalEntry } from './journal.js';
import { type KnownPoint, nextConfiguration } from './refinement.js';
import type { Configuration, PreparedContext, ProfiledContext, Runner } from './runner.js';
import { mean, standardError } from './statistics.js';

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
  /** Measure only what is worth it, within this time; without it every configuration is measured. */
  readonly budgetSeconds?: number;
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
  const pace = { count: 0, seconds: 0 };
  const startedAt = performance.now();
  let done = total - missing.reduce((sum, list) => sum + list.length, 0);
  for (const [index, context] of contexts.entries()) {
    if (missing[index]!.length === 0) continue;
    const inputs = fingerprint(run, context);
    const choose = chooser(run, missing[index]!, index, startedAt);
    let configuration = choose(pointsOf(run, context, known));
    if (configuration === undefined) continue;
    stopIfInterrupted(run.signal);
    onProgress({ stage: `${context.context} prefill`, done, total });
    const prepared = await run.runner.prepare(context, run.maxAnswerTokens);
    if (prepared.cutTokens > 0) {
      run.onWarning(
        `context ${context.context} is ${prepared.cutTokens} tokens longer than the model's window: its end was cut off.`,
      );
    }
    while (configuration !== undefined) {
      stopIfInterrupted(run.signal);
      const name = `${configuration.method}@${configuration.compressionRatio}`;
      const note = `${(pace.count / pace.seconds).toFixed(2)} configurations/s`;
      onProgress({ stage: `${context.context} ${name}`, done, total, ...(pace.count === 0 ? {} : { note }) });
      const before = performance.now();
      const result = await measure(run, prepared, configuration);
      pace.seconds += (performance.now() - before) / 1000;
      pace.count++;
      const entry = { context: context.context, inputs, ...configuration, ...result };
      if (entry.failed !== undefined) run.onWarning(`${context.context}, ${name}: ${entry.failed}`);
      await journal.append(entry);
      known.set(keyOf(entry), entry);
      done++;
      configuration = choose(pointsOf(run, context, known));
    }
  }
  onProgress({ stage: 'profiled', done, total: done });
  return contexts.flatMap((context) => {
    const inputs = fingerprint(run, context);
    return configurations.flatMap(
      (each) => known.get(keyOf({ context: context.context, inputs, ...each })) ?? [],
    );
  });
}

/**
 * What to measure next in a context: everything in turn, or under a budget what is worth most, until the context's
 * share of the time is over. A context that needs less leaves the rest to those after it.
 */
function chooser(
  { configurations, contexts, budgetSeconds }: ProfileRun,
  missing: readonly Configuration[],
  index: number,
  startedAt: number,
): (known: readonly KnownPoint[]) => Configuration | undefined {
  if (budgetSeconds === undefined) {
    const queue = [...missing];
    return () => queue.shift();
  }
  const spentSeconds = () => (performance.now() - startedAt) / 1000;
  const contextStart = spentSeconds();
  const share = (budgetSeconds - contextStart) / (contexts.length - index);
  const failed = new Set<Configuration>();
  let last: Configuration | undefined;
  return (known) => {
    if (last !== undefined && !known.some((point) => isSame(point, last!))) failed.add(last);
    if (spentSeconds() - contextStart >= share) return undefined;
    last = nextConfiguration(
      configurations.filter((each) => !failed.has(each)),
      known,
    );
    return last;
  };
}

/** What the journal knows of a context, by the metric that is steady enough to decide on: token agreement. */
function pointsOf(
  run: ProfileRun,
  context: ProfiledContext,
  known: ReadonlyMap<string, JournalEntry>,
): KnownPoint[] {
  const inputs = fingerprint(run, context);
  return run.configurations.flatMap((each) => {
    const { measurement } = known.get(keyOf({ context: context.context, inputs, ...each })) ?? {};
    if (measurement === undefined) return [];
    const quality = mean(measurement.tokenAgreement);
    return [{ ...each, quality, error: standardError(measurement.tokenAgreement) ?? 0 }];
  });
}

function isSame(a: Configuration, b: Configuration): boolean {
  return a.method === b.method && a.compressionRatio === b.compressionRatio;
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
