import type { ServedModel } from '../../engines/served.js';
import { EvicpressError } from '../../errors.js';
import type { Candidate, Corrected } from './decide.js';
import type { DriftFinding } from './drift/check.js';
import { type Examined, examine, measureAnew, type Turn, tellDrift } from './examine.js';
import { appendJournal } from './journal.js';
import { takeLock } from './lock.js';
import { exposeMetrics, writeHeartbeat } from './metrics.js';
import type { TurnOptions, TurnTools } from './options.js';
import { journalEntry, type TurnResult } from './outcome.js';
import { PlanStore } from './plan-store.js';
import { sweepTemporaries } from './private-files.js';
import { probesDue } from './probes.js';
import { readLog } from './read-log.js';
import { settle } from './settle.js';
import { freshState, type RefreshState, readState, setAsideDamaged, writeState } from './state.js';

/**
 * One turn of re-planning: the log, drift, a plan, the comparison, and the better one in force.
 * @throws EvicpressError exit code 4 where another run is at it, 1 where the user must put something right; the
 *   plan in force then stays, and what was read of the log is not read again.
 */
export async function refreshTurn(options: TurnOptions, tools: TurnTools): Promise<TurnResult> {
  if (options.dryRun) return oneTurn(options, tools, () => undefined);
  const startedAt = tools.now();
  const ticks = performance.now();
  const seconds = () => (performance.now() - ticks) / 1000;
  const lock = await takeLock(options.folder);
  try {
    const result = await oneTurn(options, tools, () => lock.assertHeld());
    await writeHeartbeat(options.folder, startedAt, result.outcome, seconds());
    return result;
  } catch (error) {
    await recordFailure(options.folder, startedAt, error, seconds());
    throw error;
  } finally {
    await lock.release();
  }
}

/**
 * What has drifted, as a turn would find it now; nothing is written.
 * @throws EvicpressError where log or profiles cannot be read.
 */
export async function lookOnly(options: TurnOptions, tools: TurnTools): Promise<readonly DriftFinding[]> {
  const { turn } = await begin({ ...options, dryRun: true }, tools, () => undefined);
  return (await examine({ ...turn, probing: options.probeEverySeconds !== null })).findings;
}

async function oneTurn(options: TurnOptions, tools: TurnTools, assertHeld: () => void): Promise<TurnResult> {
  const { turn, repairs } = await begin(options, tools, assertHeld);
  const identity = await identityOf(turn);
  if (repairs.length === 0 && isSettled(turn, identity)) return idle(turn);
  const examined = await examine(turn);
  tellDrift(examined, turn);
  const measured = await measureAnew(turn, examined);
  const candidate = await propose(turn, examined, measured.corrected);
  const { result, state } = await settle(turn, examined, measured, candidate);
  const finished = { ...result, notes: [...repairs, ...result.notes] };
  if (!options.dryRun) {
    assertHeld();
    await record(turn, finished, { ...state, inputs: identity, decidedAtRequest: state.requests.counted });
  }
  return finished;
}

/** Repairs the folder, reads what is new in the log, asks the engine. */
async function begin(
  options: TurnOptions,
  tools: TurnTools,
  assertHeld: () => void,
): Promise<{ turn: Turn; repairs: readonly string[] }> {
  if (!options.dryRun) await sweepTemporaries(options.folder);
  const store = new PlanStore(options.folder);
  const { inForce, repairs: replaced } = await store.open(!options.dryRun);
  const { state: before, damage } = await openState(options, tools);
  const repairs = [...replaced, ...damage];
  for (const repair of repairs) tools.tell('warn', repair);
  const log = await readLog(before, options, tools, assertHeld);
  const served = await askEngine(tools);
  const probing = probesDue(log.state, options, tools.now());
  return { turn: { options, tools, store, inForce, log, served, probing }, repairs };
}

async function openState(
  options: TurnOptions,
  tools: TurnTools,
): Promise<{ state: RefreshState; damage: string[] }> {
  const found = await readState(options.folder);
  const damage = found.damage === undefined ? [] : [found.damage];
  if (found.damage !== undefined && !options.dryRun) await setAsideDamaged(options.folder);
  const fresh = freshState(options.log);
  const { state = fresh } = found;
  if (state.log.path === options.log) return { state, damage };
  tools.tell('info', `another log than in the last turn (${state.log.path}): reading it from its beginning`);
  return { state: { ...state, log: fresh.log, window: fresh.window }, damage };
}

/** An engine that does not answer is no reason to stop: it is not known to have changed. */
async function askEngine(tools: TurnTools): Promise<ServedModel | undefined> {
  try {
    return await tools.served?.();
  } catch (error) {
    if (!(error instanceof EvicpressError)) throw error;
    tools.tell('warn', error.message);
    return undefined;
  }
}

/** What the turn depends on beside the log; an engine that does not answer counts as it was. */
async function identityOf({ tools, served, log }: Turn): Promise<Record<string, string>> {
  const known = served === undefined ? log.state.inputs.served : JSON.stringify(served);
  return { ...(await tools.identity()), ...(known === undefined ? {} : { served: known }) };
}

/** Nothing new to read, nothing changed, nothing due, nothing withheld that could be published now. */
function isSettled({ log, inForce, options, probing }: Turn, identity: Record<string, string>): boolean {
  const { state, newRequests, notes } = log;
  return (
    newRequests === 0 &&
    notes.length === 0 &&
    !probing &&
    !options.resume &&
    state.decidedAtRequest === state.requests.counted &&
    (state.promise?.generation ?? null) === (inForce?.generation ?? null) &&
    JSON.stringify(sorted(state.inputs)) === JSON.stringify(sorted(identity))
  );
}

function sorted(record: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

function idle({ inForce }: Turn): TurnResult {
  return {
    outcome: 'idle',
    reason: 'nothing changed since the last turn',
    generation: inForce?.generation ?? null,
    newRequests: 0,
    badLines: 0,
    notes: [],
    drift: [],
  };
}

/** The best plan for the recent demand; undefined where nothing was reused yet. */
async function propose(
  { store, options, log, served }: Turn,
  { trace, inputs, plan }: Examined,
  corrected: Corrected,
): Promise<Candidate | undefined> {
  if (trace === undefined) return undefined;
  const { makeCandidate } = await import('./decide.js');
  const { madeFor } = await import('./drift/identity.js');
  const facts = madeFor(inputs.model, log.state, options.engine, served);
  return makeCandidate(trace, inputs, corrected, plan, await store.nextGeneration(), options, facts);
}

/** The state last: it says that the turn is finished. */
async function record(
  { options, store, tools }: Turn,
  result: TurnResult,
  state: RefreshState,
): Promise<void> {
  const { inForce } = await store.open(false);
  const plan = inForce === undefined ? undefined : await store.read(inForce);
  await appendJournal(options.folder, journalEntry(result, tools.now()));
  await exposeMetrics(options.folder, result, state, plan, tools.now());
  await writeState(options.folder, state);
}

/** What went wrong is written down too, as far as anything can be written. */
async function recordFailure(folder: string, at: Date, error: unknown, seconds: number): Promise<void> {
  const message = error instanceof EvicpressError ? error.message : String(error);
  const entry = { at: at.toISOString(), event: 'failed', message };
  await appendJournal(folder, entry).catch(() => undefined);
  await writeHeartbeat(folder, at, 'failed', seconds).catch(() => undefined);
}
