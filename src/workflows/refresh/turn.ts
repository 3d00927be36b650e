import { EvicpressError } from '../../errors.js';
import type { Plan } from '../../formats/plan.js';
import type { Trace } from '../../traces/trace.js';
import { correct } from './corrections.js';
import type { Candidate, Corrected } from './decide.js';
import type { DriftFinding } from './drift/check.js';
import { readSamples } from './drift/samples.js';
import { appendJournal } from './journal.js';
import { type HeldLock, takeLock } from './lock.js';
import { exposeMetrics, writeHeartbeat } from './metrics.js';
import type { TurnInputs, TurnOptions, TurnTools } from './options.js';
import { type PlanInForce, PlanStore } from './plan-store.js';
import { sweepTemporaries } from './private-files.js';
import { probesDue, rememberProbes } from './probes.js';
import { type ReadLog, readLog } from './read-log.js';
import { freshState, type RefreshState, readState, setAsideDamaged, writeState } from './state.js';

/**
 * What came of a turn: `published` a new plan; `kept` the one in force, which is as good; `held` a better one back
 * after a rollback; `waiting` for requests that reuse something; `idle`, nothing changed since the last turn.
 */
export type Outcome = 'published' | 'kept' | 'held' | 'waiting' | 'idle';

/** A finished turn. */
export interface TurnResult {
  readonly outcome: Outcome;
  readonly reason: string;
  /** Of the plan in force at the end; null where none is. */
  readonly generation: number | null;
  readonly newRequests: number;
  readonly badLines: number;
  readonly notes: readonly string[];
  readonly drift: readonly DriftFinding[];
  readonly candidate?: Candidate;
}

/**
 * One turn of re-planning: the log, drift, a plan, the comparison, and the better one in force.
 * @throws EvicpressError exit code 4 where another run is at it, 1 where the user must put something right; the
 *   plan in force then stays, and what was read of the log is not read again.
 */
export async function refreshTurn(options: TurnOptions, tools: TurnTools): Promise<TurnResult> {
  const startedAt = tools.now();
  const ticks = performance.now();
  const lock = options.dryRun ? undefined : await takeLock(options.folder);
  try {
    const result = await turn(options, tools, lock);
    if (!options.dryRun) {
      const seconds = (performance.now() - ticks) / 1000;
      await writeHeartbeat(options.folder, startedAt, result.outcome, seconds);
    }
    return result;
  } catch (error) {
    if (!options.dryRun) await recordFailure(options, startedAt, error, (performance.now() - ticks) / 1000);
    throw error;
  } finally {
    await lock?.release();
  }
}

/**
 * What has drifted, as a turn would find it now; nothing is written.
 * @throws EvicpressError where log or profiles cannot be read.
 */
export async function lookOnly(options: TurnOptions, tools: TurnTools): Promise<readonly DriftFinding[]> {
  const store = new PlanStore(options.folder);
  const { inForce } = await store.open(false);
  const { state: before } = await openState(options, tools);
  const log = await readLog(before, options, tools, () => undefined);
  const probes = options.probeEverySeconds !== null;
  return (await examine(options, tools, store, inForce, log, probes)).findings;
}

async function turn(options: TurnOptions, tools: TurnTools, lock: HeldLock | undefined): Promise<TurnResult> {
  const assertHeld = () => lock?.assertHeld();
  if (!options.dryRun) await sweepTemporaries(options.folder);
  const store = new PlanStore(options.folder);
  const opened = await store.open(!options.dryRun);
  const { state: before, notes: stateNotes } = await openState(options, tools);
  const identity = await tools.identity();
  const log = await readLog(before, options, tools, assertHeld);
  const notes = [...opened.repairs, ...stateNotes, ...log.notes];
  for (const note of [...opened.repairs, ...stateNotes]) tools.tell('warn', note);
  const probes = probesDue(log.state, options, tools.now());
  const inForce = opened.inForce;
  if (notes.length === 0 && !probes && isSettled(log, identity, inForce, options))
    return {
      outcome: 'idle',
      reason: 'nothing changed since the last turn',
      generation: inForce?.generation ?? null,
      newRequests: 0,
      badLines: 0,
      notes,
      drift: [],
    };
  const deliberated = await deliberate(options, tools, store, inForce, log, probes);
  const { result, state } = deliberated;
  const full = { ...result, notes: [...notes, ...result.notes] };
  if (options.dryRun) return full;
  assertHeld();
  const finished: RefreshState = { ...state, inputs: identity, decidedAtRequest: state.requests.counted };
  await appendJournal(options.folder, journalEntry(full, tools.now()));
  await exposeMetrics(options.folder, full, finished, await currentPlan(store), tools.now());
  await writeState(options.folder, finished);
  return full;
}

async function openState(
  options: TurnOptions,
  tools: TurnTools,
): Promise<{ state: RefreshState; notes: string[] }> {
  const { state, damage } = await readState(options.folder);
  const notes = damage === undefined ? [] : [damage];
  if (damage !== undefined && !options.dryRun) await setAsideDamaged(options.folder);
  if (state === undefined) return { state: freshState(options.log), notes };
  if (state.log.path === options.log) return { state, notes };
  tools.tell('info', `another log than in the last turn (${state.log.path}): reading it from its beginning`);
  const { log, ...rest } = freshState(options.log);
  return { state: { ...state, log, window: rest.window }, notes };
}

/** Nothing new to read, nothing changed, nothing withheld that could be published now. */
function isSettled(
  { state, newRequests }: ReadLog,
  identity: Readonly<Record<string, string>>,
  inForce: PlanInForce | undefined,
  options: TurnOptions,
): boolean {
  return (
    newRequests === 0 &&
    !options.resume &&
    state.decidedAtRequest === state.requests.counted &&
    (state.promise?.generation ?? null) === (inForce?.generation ?? null) &&
    JSON.stringify(sorted(state.inputs)) === JSON.stringify(sorted(identity))
  );
}

function sorted(record: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Everything a decision needs to know. */
interface Examined {
  readonly inputs: TurnInputs;
  readonly plan: Plan | undefined;
  readonly trace: Trace | undefined;
  readonly findings: readonly DriftFinding[];
}

async function examine(
  options: TurnOptions,
  tools: TurnTools,
  store: PlanStore,
  inForce: PlanInForce | undefined,
  log: ReadLog,
  probes: boolean,
): Promise<Examined> {
  const { state } = log;
  const inputs = await tools.loadInputs(state.log.blockTokens);
  for (const warning of inputs.warnings) tools.tell('warn', warning);
  const plan = inForce === undefined ? undefined : await store.read(inForce);
  const trace = await log.trace();
  // Planner and simulator are loaded only by turns that have something to decide.
  const { lookForDrift } = await import('./drift/index.js');
  const findings = await lookForDrift({
    plan,
    state,
    thresholds: options.thresholds,
    tiers: correct(inputs, state, []).tiers,
    model: inputs.model,
    engine: options.engine,
    methods: inputs.methods,
    files: inputs.files,
    trace,
    samples: options.samples === undefined ? [] : await readSamples(options.samples),
    probe: probes ? (tier) => tools.measureTier(tier, options.probeSeconds) : undefined,
  });
  return { inputs, plan, trace, findings };
}

async function deliberate(
  options: TurnOptions,
  tools: TurnTools,
  store: PlanStore,
  inForce: PlanInForce | undefined,
  log: ReadLog,
  probes: boolean,
): Promise<{ result: TurnResult; state: RefreshState }> {
  let { state } = log;
  const { inputs, plan, trace, findings } = await examine(options, tools, store, inForce, log, probes);
  for (const { drifted, evidence, check, subject } of findings)
    if (drifted) tools.tell('warn', evidence, { check, subject });
  if (probes) state = await rememberProbes(state, findings, inputs, options, tools);
  const corrected = correct(inputs, state, findings);
  const base = { newRequests: log.newRequests, badLines: log.badLines, notes: [], drift: findings };
  const generation = inForce?.generation ?? null;
  const { makeCandidate } = await import('./decide.js');
  const candidate =
    trace === undefined
      ? undefined
      : makeCandidate(trace, inputs, corrected, plan, await store.nextGeneration(), options);
  if (candidate === undefined) {
    const reason = 'no request has reused anything yet: there is nothing to plan';
    return { result: { ...base, outcome: 'waiting', reason, generation }, state };
  }
  return publishIfBetter(options, tools, store, inForce, plan, candidate, corrected, base, state);
}

async function publishIfBetter(
  options: TurnOptions,
  tools: TurnTools,
  store: PlanStore,
  inForce: PlanInForce | undefined,
  plan: Plan | undefined,
  candidate: Candidate,
  corrected: Corrected,
  base: Pick<TurnResult, 'newRequests' | 'badLines' | 'notes' | 'drift'>,
  state: RefreshState,
): Promise<{ result: TurnResult; state: RefreshState }> {
  const invalid = base.drift.filter((finding) => finding.check === 'identity' && finding.drifted);
  const { decide } = await import('./decide.js');
  const decision = decide(
    candidate,
    plan,
    invalid.map((finding) => finding.evidence),
    corrected.gone,
    options.minGain,
  );
  const { reason } = decision;
  const standing = inForce === undefined ? null : inForce.generation;
  if (!decision.publish)
    return {
      result: { ...base, outcome: 'kept', reason, generation: standing, candidate },
      state: { ...state, promise: promiseOfStanding(state, inForce, candidate, tools.now()) },
    };
  const hold = await heldUntil(store, options);
  if (hold !== undefined && hold > tools.now())
    return {
      result: {
        ...base,
        outcome: 'held',
        reason: `${reason}; held back until ${hold.toISOString()} after a rollback (--resume publishes)`,
        generation: standing,
        candidate,
      },
      state: { ...state, promise: promiseOfStanding(state, inForce, candidate, tools.now()) },
    };
  const { generation } = candidate.header;
  if (options.dryRun)
    return { result: { ...base, outcome: 'published', reason, generation, candidate }, state };
  const publishedAt = tools.now().toISOString();
  const published = await store.publish(candidate.header, candidate.rows, {
    publishedAt,
    reason,
    ...(candidate.comparison === undefined ? {} : { gain: candidate.comparison.replayedGain }),
    expected: expectedOf(candidate),
    atRequest: state.requests.counted,
  });
  return {
    result: { ...base, outcome: 'published', reason, generation, candidate },
    state: {
      ...state,
      promise: {
        generation,
        sha256: published.record.fileSha256,
        publishedAt,
        atRequest: state.requests.counted,
        ...expectedOf(candidate),
      },
    },
  };
}

function expectedOf({ score }: Candidate) {
  return {
    hitShare: score.hitShare,
    meanTtftSeconds: score.meanTtftSeconds,
    meanQuality: score.meanQuality,
  };
}

/** A plan that others put in force promises from now on what the replay says of it. */
function promiseOfStanding(
  state: RefreshState,
  inForce: PlanInForce | undefined,
  { comparison }: Candidate,
  now: Date,
): RefreshState['promise'] {
  if (inForce === undefined || comparison === undefined) return null;
  if (state.promise?.generation === inForce.generation) return state.promise;
  return {
    generation: inForce.generation,
    sha256: inForce.record.fileSha256,
    publishedAt: now.toISOString(),
    atRequest: state.requests.counted,
    hitShare: comparison.old.hitShare,
    meanTtftSeconds: comparison.old.meanTtftSeconds,
    meanQuality: comparison.old.meanQuality,
  };
}

/** Until when a rollback keeps new plans back; undefined where none does. */
async function heldUntil(store: PlanStore, options: TurnOptions): Promise<Date | undefined> {
  if (options.resume) return undefined;
  const withdrawn = (await store.records()).at(-1)?.withdrawnAt;
  if (withdrawn === undefined) return undefined;
  return new Date(Date.parse(withdrawn) + options.holdSeconds * 1000);
}

async function currentPlan(store: PlanStore): Promise<Plan | undefined> {
  const { inForce } = await store.open(false);
  return inForce === undefined ? undefined : store.read(inForce);
}

function journalEntry(result: TurnResult, now: Date) {
  const { candidate, drift, ...rest } = result;
  return {
    at: now.toISOString(),
    event: result.outcome,
    ...rest,
    drift: drift.map(withoutTier),
    ...(candidate === undefined
      ? {}
      : {
          candidate: {
            generation: candidate.header.generation,
            contexts: candidate.header.summary.contexts,
            gapOfSpan: candidate.header.summary.gapOfSpan,
            expected: expectedOf(candidate),
            ...(candidate.comparison === undefined
              ? {}
              : {
                  inForce: {
                    hitShare: candidate.comparison.old.hitShare,
                    meanTtftSeconds: candidate.comparison.old.meanTtftSeconds,
                    meanQuality: candidate.comparison.old.meanQuality,
                  },
                  replayedGain: candidate.comparison.replayedGain,
                  predictedGain: candidate.comparison.predictedGain,
                  bytesToMove: candidate.comparison.bytesToMove,
                }),
          },
        }),
  };
}

/** A finding without the tier that was measured: its location is nobody's business who reads a journal. */
export function withoutTier({ measured, ...finding }: DriftFinding): Omit<DriftFinding, 'measured'> {
  return finding;
}

/** What went wrong is written down too, as far as anything can be written. */
async function recordFailure(options: TurnOptions, at: Date, error: unknown, seconds: number): Promise<void> {
  const message = error instanceof EvicpressError ? error.message : String(error);
  await appendJournal(options.folder, { at: at.toISOString(), event: 'failed', message }).catch(
    () => undefined,
  );
  await writeHeartbeat(options.folder, at, 'failed', seconds).catch(() => undefined);
}
