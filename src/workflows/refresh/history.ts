import { type JournalEntry, readJournal } from './journal.js';
import { PlanStore } from './plan-store.js';

/** What a plan promised, or was seen to do in the replay of the log since. */
export interface PlanFigures {
  readonly hitShare: number;
  readonly meanTtftSeconds: number;
  readonly meanQuality: number;
}

/** A published generation. */
export interface PastGeneration {
  readonly generation: number;
  readonly publishedAt: string;
  readonly reason: string;
  readonly inForce: boolean;
  readonly withdrawnAt?: string;
  /** Over the plan before it, replayed, as a share of TTFT. */
  readonly gain?: number;
  readonly expected?: PlanFigures;
  /** By the last turn that looked at it while it was in force. */
  readonly seen?: PlanFigures;
}

/** The generations kept in a folder, oldest first, with what the journal knows of them. Reads only. */
export async function pastGenerations(folder: string): Promise<PastGeneration[]> {
  const store = new PlanStore(folder);
  const { inForce } = await store.open(false);
  const seen = seenByGeneration(await readJournal(folder));
  return (await store.records()).map((record) => {
    const { generation, publishedAt, reason, gain, withdrawnAt } = record;
    const last = seen.get(generation);
    return {
      generation,
      publishedAt,
      reason,
      inForce: generation === inForce?.generation,
      ...(withdrawnAt === undefined ? {} : { withdrawnAt }),
      ...(gain === undefined ? {} : { gain }),
      ...(isFigures(record.expected) ? { expected: record.expected } : {}),
      ...(last === undefined ? {} : { seen: last }),
    };
  });
}

/** A turn compares its plan with the one that was in force when it began. */
function seenByGeneration(entries: readonly JournalEntry[]): Map<number, PlanFigures> {
  const seen = new Map<number, PlanFigures>();
  let standing: number | undefined;
  for (const entry of entries) {
    const inForce = (entry.candidate as { inForce?: unknown } | undefined)?.inForce;
    if (entry.event !== 'published' && typeof entry.generation === 'number') standing = entry.generation;
    if (standing !== undefined && isFigures(inForce)) seen.set(standing, inForce);
    if (typeof entry.generation === 'number') standing = entry.generation;
  }
  return seen;
}

function isFigures(value: unknown): value is PlanFigures {
  return typeof value === 'object' && value !== null && 'hitShare' in value && 'meanTtftSeconds' in value;
}
