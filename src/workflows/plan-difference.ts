import { type Placement, type Plan, RECOMPUTE, UNCOMPRESSED } from '../formats/plan.js';

/** What happens to a context's cache when one plan follows another. */
export type ChangeKind = 'add' | 'drop' | 'move' | 'recompress' | 'make-whole';

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
  const old = new Map((before?.rows ?? []).map((row) => [row.context, row]));
  const sums = new Map<
    string,
    { change: ChangeKind; from: string; to: string; contexts: number; bytes: number }
  >();
  let kept = 0;
  const note = (was: Placement | undefined, is: Placement | undefined) => {
    const change = changeOf(was, is);
    if (change === undefined) {
      if (is !== undefined) kept++;
      return;
    }
    const [from, to] = [placeOf(was), placeOf(is)];
    const key = JSON.stringify([change, from, to]);
    const sum = sums.get(key) ?? { change, from, to, contexts: 0, bytes: 0 };
    sum.contexts++;
    sum.bytes += (change === 'drop' ? was! : is!).storedBytes;
    sums.set(key, sum);
  };
  for (const row of after.rows) {
    note(old.get(row.context), row);
    old.delete(row.context);
  }
  for (const row of old.values()) note(row, undefined);
  const order: readonly ChangeKind[] = ['add', 'move', 'recompress', 'make-whole', 'drop'];
  return {
    kept,
    changes: [...sums.values()].sort(
      (a, b) => order.indexOf(a.change) - order.indexOf(b.change) || b.bytes - a.bytes,
    ),
  };
}

function isKept(row: Placement | undefined): row is Placement {
  return row !== undefined && row.tier !== RECOMPUTE;
}

function changeOf(was: Placement | undefined, is: Placement | undefined): ChangeKind | undefined {
  if (!isKept(was)) return isKept(is) ? 'add' : undefined;
  if (!isKept(is)) return 'drop';
  if (was.method !== is.method || was.compressionRatio !== is.compressionRatio) {
    // What was compressed with loss cannot be compressed again: it is prefilled anew.
    return was.method === UNCOMPRESSED ? 'recompress' : 'make-whole';
  }
  return was.tier === is.tier ? undefined : 'move';
}

function placeOf(row: Placement | undefined): string {
  if (!isKept(row)) return RECOMPUTE;
  return row.method === UNCOMPRESSED ? row.tier : `${row.tier} ${row.method}@${row.compressionRatio}`;
}
