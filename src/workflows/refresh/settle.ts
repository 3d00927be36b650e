import type { Candidate, Corrected } from './decide.js';
import type { Examined, Turn } from './examine.js';
import { expectedOf, type TurnResult } from './outcome.js';
import type { PlanPromise, RefreshState } from './state.js';

/** How a turn ends, and the state it leaves. */
export interface Settled {
  readonly result: TurnResult;
  readonly state: RefreshState;
}

/**
 * Publishes the candidate if it is better, and is not held back. In a dry run it only says so.
 * @throws EvicpressError where it cannot be written; the plan in force then stays.
 */
export async function settle(
  turn: Turn,
  { plan, findings }: Examined,
  { state, corrected }: { readonly state: RefreshState; readonly corrected: Corrected },
  candidate: Candidate | undefined,
): Promise<Settled> {
  const { options, tools, inForce, log } = turn;
  const base = { newRequests: log.newRequests, badLines: log.badLines, notes: log.notes, drift: findings };
  const standing = { ...base, generation: inForce?.generation ?? null };
  if (candidate === undefined) {
    const reason = 'no request has reused anything yet: there is nothing to plan';
    return { result: { ...standing, outcome: 'waiting', reason }, state };
  }
  const { decide } = await import('./decide.js');
  const invalid = findings.filter(({ check, drifted }) => check === 'identity' && drifted);
  const evidence = invalid.map((finding) => finding.evidence);
  const { publish, reason } = decide(candidate, plan, evidence, corrected.gone, options);
  const kept = { ...state, promise: promiseOfStanding(turn, state, candidate) };
  if (!publish) return { result: { ...standing, outcome: 'kept', reason, candidate }, state: kept };
  const hold = await heldUntil(turn);
  if (hold !== undefined && hold > tools.now()) {
    const why = `${reason}; held back until ${hold.toISOString()} after a rollback (--resume publishes)`;
    return { result: { ...standing, outcome: 'held', reason: why, candidate }, state: kept };
  }
  const { generation } = candidate.header;
  const result = { ...base, outcome: 'published', reason, generation, candidate } as const;
  if (options.dryRun) return { result, state };
  return { result, state: { ...state, promise: await publishCandidate(turn, candidate, reason) } };
}

async function publishCandidate(
  { store, tools, log }: Turn,
  candidate: Candidate,
  reason: string,
): Promise<PlanPromise> {
  const publishedAt = tools.now().toISOString();
  const expected = expectedOf(candidate);
  const atRequest = log.state.requests.counted;
  const gain = candidate.comparison?.replayedGain;
  const { generation, record } = await store.publish(candidate.header, candidate.rows, {
    publishedAt,
    reason,
    ...(gain === undefined ? {} : { gain }),
    expected,
    atRequest,
  });
  return { generation, sha256: record.fileSha256, publishedAt, atRequest, ...expected };
}

/** A plan that others put in force promises from now on what the replay says of it. */
function promiseOfStanding(
  { inForce, tools }: Turn,
  { promise, requests }: RefreshState,
  { comparison }: Candidate,
): RefreshState['promise'] {
  if (inForce === undefined || comparison === undefined) return null;
  if (promise?.generation === inForce.generation) return promise;
  return {
    generation: inForce.generation,
    sha256: inForce.record.fileSha256,
    publishedAt: tools.now().toISOString(),
    atRequest: requests.counted,
    ...expectedOf({ score: comparison.old }),
  };
}

/** Until when a rollback keeps new plans back; undefined where none does. */
async function heldUntil({ store, options }: Turn): Promise<Date | undefined> {
  if (options.resume) return undefined;
  const withdrawn = (await store.records()).at(-1)?.withdrawnAt;
  if (withdrawn === undefined) return undefined;
  return new Date(Date.parse(withdrawn) + options.holdSeconds * 1000);
}
