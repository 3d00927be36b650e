import type { Candidate } from './decide.js';
import type { DriftFinding } from './drift/check.js';
import type { JournalEntry } from './journal.js';

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

/** A turn as the journal has it: what was decided and why, with both plans' figures. */
export function journalEntry({ candidate, drift, ...rest }: TurnResult, now: Date): JournalEntry {
  return {
    at: now.toISOString(),
    event: rest.outcome,
    ...rest,
    drift: drift.map(withoutTier),
    ...(candidate === undefined ? {} : { candidate: figuresOf(candidate) }),
  };
}

/** A finding without the tier that was measured: its location is nobody's business who reads a journal. */
export function withoutTier({ measured, ...finding }: DriftFinding): Omit<DriftFinding, 'measured'> {
  return finding;
}

/** What a plan does on the recent log, in the replay. */
export function expectedOf({ score: { hitShare, meanTtftSeconds, meanQuality } }: Pick<Candidate, 'score'>) {
  return { hitShare, meanTtftSeconds, meanQuality };
}

function figuresOf(candidate: Candidate) {
  const { header, comparison } = candidate;
  const proposed = {
    generation: header.generation,
    contexts: header.summary.contexts,
    gapOfSpan: header.summary.gapOfSpan,
    expected: expectedOf(candidate),
  };
  if (comparison === undefined) return proposed;
  const { old, replayedGain, predictedGain, bytesToMove } = comparison;
  return { ...proposed, inForce: expectedOf({ score: old }), replayedGain, predictedGain, bytesToMove };
}
