import { RECOMPUTE, UNCOMPRESSED } from '../formats/names.js';
import type { Placement, Plan } from '../formats/plan.js';

/** What happens to a context's cache when one plan follows another. */
export type ChangeKind = 'add' | 'drop' | 'move' | 'recompress' | 'make-whole' | 'resize';

/** What a new plan does to what is stored, summed by kind of change and pair of places. */
export interface PlanDifference {
  readonly kept: number;
  readonly changes: readonly {
    readonly change: ChangeKind;
    readonly from: string;
    readonly to: string;
    readonly contexts: number;
    /** Bytes that are written for it; for a drop those that are freed. */
    readonly bytes: number;
  }[];
}

/** Compares two plans context by context; without an old plan everything is added. */
export function planDifference(before: Plan | undefined, after: Plan): PlanDifference {
  return rowDifference(before?.rows ?? [], after.rows);
}

/** The same for rows, of which the new ones come one at a time. */
export function rowDifference(before: readonly Placement[], after: Iterable<Placement>): PlanDifference {
  const old = new Map(before.map((row) => [row.context, row]));
  const tally = new ChangeTally();
  for (const row of after) {
    tally.note(old.get(row.context), row);
    old.delete(row.context);
  }
  for (const row of old.values()) tally.note(row, undefined);
  return tally.difference();
}

/** What a difference needs to know of a placement. */
export type Placed = Pick<Placement, 'tier' | 'method' | 'compressionRatio' | 'storedBytes'>;

const CHANGE_ORDER: readonly ChangeKind[] = ['add', 'move', 'recompress', 'make-whole', 'resize', 'drop'];

/** Sums changes one context at a time, so that neither plan need be in memory. */
export class ChangeTally {
  private readonly sums = new Map<
    string,
    { change: ChangeKind; from: string; to: string; contexts: number; bytes: number }
  >();
  private kept = 0;

  /** Counts one context, as it was and as it is. @returns the change; undefined where it stays. */
  note(was: Placed | undefined, is: Placed | undefined): ChangeKind | undefined {
    const change = changeOf(was, is);
    if (change === undefined) {
      if (is !== undefined) this.kept++;
      return undefined;
    }
    const [from, to] = [placeOf(was), placeOf(is)];
    const key = JSON.stringify([change, from, to]);
    const sum = this.sums.get(key) ?? { change, from, to, contexts: 0, bytes: 0 };
    sum.contexts++;
    sum.bytes += (change === 'drop' ? was! : is!).storedBytes;
    this.sums.set(key, sum);
    return change;
  }

  difference(): PlanDifference {
    return {
      kept: this.kept,
      changes: [...this.sums.values()].sort(
        (a, b) =>
          CHANGE_ORDER.indexOf(a.change) - CHANGE_ORDER.indexOf(b.change) ||
          b.bytes - a.bytes ||
          (a.from < b.from ? -1 : 1),
      ),
    };
  }
}

function isKept(row: Placed | undefined): row is Placed {
  return row !== undefined && row.tier !== RECOMPUTE;
}

function changeOf(was: Placed | undefined, is: Placed | undefined): ChangeKind | undefined {
  if (!isKept(was)) return isKept(is) ? 'add' : undefined;
  if (!isKept(is)) return 'drop';
  if (was.method !== is.method || was.compressionRatio !== is.compressionRatio) {
    // What was compressed with loss cannot be compressed again: it is prefilled anew.
    return was.method === UNCOMPRESSED ? 'recompress' : 'make-whole';
  }
  if (was.tier !== is.tier) return 'move';
  return was.storedBytes === is.storedBytes ? undefined : 'resize';
}

/** Where a context is and in what form; `recompute` where it is not kept. */
export function placeOf(row: Placed | undefined): string {
  if (!isKept(row)) return RECOMPUTE;
  return row.method === UNCOMPRESSED ? row.tier : `${row.tier} ${row.method}@${row.compressionRatio}`;
}
