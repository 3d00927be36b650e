import { createHash } from 'node:crypto';
import { EvicpressError, errors } from '../errors.js';
import type { MethodRow } from '../formats/methods.js';
import type { OnProgress } from '../progress.js';
import { formatSeconds } from '../units.js';
import { costsFrom, populationFrom } from './budget/reference.js';
import { type Choice, createSpender, type QualityOf, type Spender } from './budget/spender.js';
import { type Journal, type JournalEntry, joinEntries } from './journal.js';
import {
  type Configuration,
  ContextFailure,
  type Measurement,
  type PreparedContext,
  type ProfiledContext,
  type Runner,
  type Wanted,
} from './runner.js';

/** What a profiling run needs: contexts, configurations, a runner and the journal it resumes from. */
export interface ProfileRun {
  readonly runner: Runner;
  readonly contexts: readonly ProfiledContext[];
  readonly configurations: readonly Configuration[];
  readonly maxAnswerTokens: number;
  /** Where answers are to be written: in every context, in a part that shows what a token agreement is worth, or
   *  nowhere. Without answers only the teacher-forced measures are taken, at a fraction of the cost. */
  readonly answers: 'all' | 'some' | 'none';
  readonly journal: Journal;
  readonly onProgress: OnProgress;
  readonly onWarning: (text: string) => void;
  /** Aborted by Ctrl-C: the configuration in flight is finished or dropped, the journal stays whole. */
  readonly signal: AbortSignal;
  /** Measure only what is worth it, within this time; without it every configuration is measured. */
  readonly budgetSeconds?: number;
  /** Under a budget: a profile of other contexts, of any model, for what to expect of these. */
  readonly reference?: readonly MethodRow[];
  /** Seconds on a clock; the process's own if not given. */
  readonly now?: () => number;
}

/** What a run knows, earlier runs' measurements included. */
export interface Profiled {
  /** One entry per context and configuration, in a fixed order; under a budget those that were measured. */
  readonly entries: readonly JournalEntry[];
  /** Under a budget: what is believed of the configurations that were not measured. */
  readonly spender?: Spender;
}

/**
 * Measures what the journal does not have yet: every context is prefilled once, every configuration works on a
 * copy of its cache, and what one pass of the runner measures is written down before the next begins: a kill costs
 * the pass in flight. Contexts are taken up by as many lanes as the runner has.
 * @throws EvicpressError with exit code 130 when interrupted.
 */
export async function runProfile(run: ProfileRun): Promise<Profiled> {
  const { contexts, configurations, runner } = run;
  const state = openState(run);
  const lanes = Math.min(runner.lanes ?? 1, contexts.length);
  let next = 0;
  // A fault in one lane ends the others at their next step; their measurements are in the journal by then.
  const fault = new AbortController();
  const lane = async (number: number) => {
    while (next < contexts.length && !fault.signal.aborted) {
      const index = next++;
      await profileContext(run, state, index, number, fault.signal).catch((error: unknown) => {
        fault.abort();
        throw error;
      });
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: lanes }, (_, number) => lane(number)));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  run.onProgress({ stage: 'profiled', done: state.done, total: state.done });
  const entries = contexts.flatMap((context) => {
    const inputs = fingerprint(run, context);
    return configurations.flatMap(
      (each) => state.known.get(keyOf({ context: context.context, inputs, ...each })) ?? [],
    );
  });
  return { entries, ...(state.spender === undefined ? {} : { spender: state.spender }) };
}

/** What all lanes share. */
interface State {
  readonly known: Map<string, JournalEntry>;
  readonly spender: Spender | undefined;
  readonly startedAt: number;
  /** Configurations done by this run, and its seconds since the first. */
  measured: number;
  done: number;
  /** Contexts that no lane has taken up yet. */
  waiting: number;
}

function openState(run: ProfileRun): State {
  const { contexts, configurations, journal, budgetSeconds } = run;
  const known = new Map<string, JournalEntry>();
  for (const entry of journal.entries) {
    if (isEnough(run, entry)) known.set(keyOf(entry), joinEntries(known.get(keyOf(entry)), entry));
  }
  const state: State = {
    known,
    spender: budgetSeconds === undefined ? undefined : openSpender(run),
    startedAt: secondsOf(run),
    measured: 0,
    done: 0,
    waiting: contexts.length,
  };
  for (const context of contexts) {
    const inputs = fingerprint(run, context);
    const before = state.done;
    for (const each of configurations) {
      const entry = known.get(keyOf({ context: context.context, inputs, ...each }));
      if (entry === undefined) continue;
      state.done++;
      state.spender?.learn(context.context, entry);
    }
    if (state.done > before) state.spender?.leave(context.context);
  }
  return state;
}

function openSpender(run: ProfileRun): Spender {
  const { configurations, answers, reference = [] } = run;
  const metric = answers === 'all' ? 'similarity' : 'agreement';
  return createSpender(configurations, qualityOf(run), {
    population: populationFrom(configurations, reference, metric),
    costs: costsFrom(configurations, reference),
  });
}

/** The figures a budget is spent on: those of the metric that asks for the most. */
function qualityOf({ answers }: ProfileRun): QualityOf {
  return (entry) => (answers === 'all' ? entry.similarity : entry.measurement?.tokenAgreement);
}

/** One context in so many gets answers where only some do, and never fewer than three. */
const ANSWERED_EVERY = 4;

function writesAnswers({ answers, contexts }: ProfileRun, context: string): boolean {
  if (answers !== 'some') return answers === 'all';
  const index = contexts.findIndex((each) => each.context === context);
  return contexts.length < 3 * ANSWERED_EVERY ? index < 3 : index % ANSWERED_EVERY === 0;
}

/** Whether an earlier entry has what this run needs: answers, where they are to be compared. */
function isEnough(run: ProfileRun, entry: JournalEntry): boolean {
  return entry.failed !== undefined || entry.similarity !== undefined || !writesAnswers(run, entry.context);
}

async function profileContext(
  run: ProfileRun,
  state: State,
  index: number,
  lane: number,
  fault: AbortSignal,
): Promise<void> {
  const context = run.contexts[index]!;
  const inputs = fingerprint(run, context);
  const name = context.context;
  const choose = chooser(run, state, context, inputs);
  state.waiting--;
  let choice = choose();
  if (choice === undefined) return;
  stopIfInterrupted(run.signal);
  report(run, state, `${name} prefill`);
  const prepared = await prepare(run, context, lane);
  while (choice !== undefined && !fault.aborted) {
    stopIfInterrupted(run.signal);
    const { configurations, wanted } = choice;
    report(run, state, `${name} ${configurations.map(nameOf).join(' ')}`);
    const what = { ...wanted, answer: writesAnswers(run, name) };
    const results = await measure(prepared, configurations, what);
    for (const [i, configuration] of configurations.entries()) {
      const { queries: asked } = wanted;
      // One after the other: comparing answers takes its time too, and a kill should not cost what is compared.
      const result = await judged(run, prepared, results[i]!, what);
      const entry = { context: name, inputs, ...configuration, ...(asked && { asked }), ...result };
      if (entry.failed !== undefined) run.onWarning(`${name}, ${nameOf(configuration)}: ${entry.failed}`);
      await run.journal.append(entry);
      const key = keyOf(entry);
      if (!state.known.has(key)) state.done++;
      state.known.set(key, joinEntries(state.known.get(key), entry));
      state.spender?.learn(name, state.known.get(key)!);
      state.measured++;
    }
    choice = choose();
  }
  state.spender?.leave(name);
}

function nameOf({ method, compressionRatio }: Configuration): string {
  return `${method}@${compressionRatio}`;
}

/** Prefills; a context that cannot be (for want of memory, say) fails in every configuration. */
async function prepare(
  run: ProfileRun,
  context: ProfiledContext,
  lane: number,
): Promise<PreparedContext | ContextFailure> {
  try {
    const prepared = await run.runner.prepare(context, run.maxAnswerTokens, lane);
    if (prepared.cutTokens > 0) {
      run.onWarning(
        `context ${context.context} is ${prepared.cutTokens} tokens longer than the model's window: its end was cut off.`,
      );
    }
    return prepared;
  } catch (error) {
    if (error instanceof ContextFailure) return error;
    throw error;
  }
}

/**
 * What to measure next in a context: everything in turn, or under a budget what is worth most, until the context's
 * share of the time is over. A context that needs less leaves the rest to those after it.
 */
function chooser(
  run: ProfileRun,
  state: State,
  context: ProfiledContext,
  inputs: string,
): () => Choice | undefined {
  const { configurations, contexts, budgetSeconds, runner } = run;
  if (budgetSeconds === undefined || state.spender === undefined) {
    const queue = configurations.filter(
      (each) => !state.known.has(keyOf({ context: context.context, inputs, ...each })),
    );
    return () =>
      queue.length === 0 ? undefined : { configurations: queue.splice(0, runner.together ?? 1), wanted: {} };
  }
  const { spender, startedAt, waiting } = state;
  const spentSeconds = () => secondsOf(run) - startedAt;
  const contextStart = spentSeconds();
  const lanes = Math.min(runner.lanes ?? 1, contexts.length);
  const share = ((budgetSeconds - contextStart) * lanes) / waiting;
  return () => {
    const left = share - (spentSeconds() - contextStart);
    if (left <= 0) return undefined;
    // Several at once where that costs less, but no more than there is time for by what each has taken so far.
    const each = state.measured === 0 ? left : (lanes * spentSeconds()) / state.measured;
    const most = Math.max(1, Math.min(runner.together ?? 1, Math.floor(left / each)));
    return spender.next(context.context, context.queries.length, most);
  };
}

type Result = Omit<JournalEntry, 'context' | 'inputs' | 'method' | 'compressionRatio'>;

/** One pass of the runner: what it measures of each configuration, or why it could not. */
async function measure(
  prepared: PreparedContext | ContextFailure,
  configurations: readonly Configuration[],
  what: Wanted,
): Promise<readonly (Measurement | EvicpressError)[]> {
  if (prepared instanceof ContextFailure) return configurations.map(() => prepared);
  if (prepared.measureTogether === undefined)
    return Promise.all(configurations.map((each) => prepared.measure(each, what).catch(orFailure)));
  return prepared.measureTogether(configurations, what).catch((error: unknown) => {
    const failure = orFailure(error);
    return configurations.map(() => failure);
  });
}

/** What a runner says of a configuration it cannot measure. @throws whatever else was thrown. */
function orFailure(error: unknown): EvicpressError {
  if (error instanceof EvicpressError && error.exitCode === 1) return error;
  throw error;
}

/** A measurement with what the prefill showed and, where answers were written, how alike they are. */
async function judged(
  run: ProfileRun,
  prepared: PreparedContext | ContextFailure,
  measurement: Measurement | EvicpressError,
  { queries, answer }: Wanted,
): Promise<Result> {
  if (prepared instanceof ContextFailure) return { failed: prepared.message };
  if (measurement instanceof EvicpressError) return { failed: measurement.message };
  const { tokens, fullBytes, prefillSeconds, features, referenceAnswers: all } = prepared;
  const known = { tokens, fullBytes, prefillSeconds, ...(features && { features }), measurement };
  if (answer === false) return known;
  const referenceAnswers = queries?.map((i) => all[i]!) ?? all;
  const similarity: number[] = [];
  for (const [i, text] of measurement.answers.entries()) {
    similarity.push(await run.runner.similarity(referenceAnswers[i]!, text));
  }
  return { ...known, referenceAnswers, similarity };
}

function secondsOf({ now }: ProfileRun): number {
  return now === undefined ? performance.now() / 1000 : now();
}

function report(run: ProfileRun, state: State, stage: string): void {
  const { onProgress, contexts, configurations } = run;
  const { measured, done, startedAt } = state;
  const total = contexts.length * configurations.length;
  const perSecond = measured / (secondsOf(run) - startedAt);
  const note = `${perSecond.toFixed(2)} configurations/s, ${formatSeconds((total - done) / perSecond)} left`;
  onProgress({ stage, done, total, ...(measured === 0 ? {} : { note }) });
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
