import { type Placement, type PlanHeader, scanPlan } from '../formats/plan.js';

/** One way of being stored: a tier with a method and its ratio. */
export interface StoredGroup {
  readonly tier: string;
  readonly method: string;
  readonly compressionRatio: number;
}

/** A plan's rows in columns, in the order of the file. */
export interface Placements {
  readonly contexts: readonly string[];
  /** Row of the parent, −1 without one. */
  readonly parents: readonly number[];
  /** Index into `groups`. */
  readonly group: readonly number[];
  readonly groups: readonly StoredGroup[];
  readonly storedBytes: readonly number[];
  readonly quality: readonly number[];
  readonly ttftSeconds: readonly number[];
  readonly accesses: readonly number[];
  readonly requestShare: readonly number[];
  readonly decompressSeconds: readonly number[];
}

/** What a group holds in all. `requests` are accesses weighted with the share of the request, the plan's weight. */
export interface GroupTotal extends StoredGroup {
  readonly contexts: number;
  readonly bytes: number;
  readonly requests: number;
}

/** Reads a plan into columns. @throws EvicpressError as scanPlan does. */
export async function readPlacements(path: string): Promise<{ header: PlanHeader; placements: Placements }> {
  const contexts: string[] = [];
  const parentNames: (string | undefined)[] = [];
  const group: number[] = [];
  const groups: StoredGroup[] = [];
  const groupOf = new Map<string, number>();
  const storedBytes: number[] = [];
  const quality: number[] = [];
  const ttftSeconds: number[] = [];
  const accesses: number[] = [];
  const requestShare: number[] = [];
  const decompressSeconds: number[] = [];
  const rowOf = new Map<string, number>();
  const { header } = await scanPlan(path, (row) => {
    rowOf.set(row.context, contexts.length);
    contexts.push(row.context);
    parentNames.push(row.parent);
    const key = JSON.stringify([row.tier, row.method, row.compressionRatio]);
    let index = groupOf.get(key);
    if (index === undefined) {
      index = groups.push(storedAs(row)) - 1;
      groupOf.set(key, index);
    }
    group.push(index);
    storedBytes.push(row.storedBytes);
    quality.push(row.quality);
    ttftSeconds.push(row.ttftSeconds);
    accesses.push(row.accesses);
    requestShare.push(row.requestShare ?? 1);
    decompressSeconds.push(typeof row.decompressSeconds === 'number' ? row.decompressSeconds : 0);
  });
  const parents = parentNames.map((name) => (name === undefined ? -1 : (rowOf.get(name) ?? -1)));
  return {
    header,
    placements: {
      contexts,
      parents,
      group,
      groups,
      storedBytes,
      quality,
      ttftSeconds,
      accesses,
      requestShare,
      decompressSeconds,
    },
  };
}

function storedAs({ tier, method, compressionRatio }: Placement): StoredGroup {
  return { tier, method, compressionRatio };
}

/** Contexts, bytes and accesses of every group. */
export function groupTotals(placements: Placements): GroupTotal[] {
  const totals = placements.groups.map((group) => ({ ...group, contexts: 0, bytes: 0, requests: 0 }));
  placements.group.forEach((index, i) => {
    const total = totals[index]!;
    total.contexts++;
    total.bytes += placements.storedBytes[i]!;
    total.requests += placements.accesses[i]! * placements.requestShare[i]!;
  });
  return totals;
}

/** Σ accesses · requestShare: how many whole requests' worth of reuse the plan counts in a period. */
export function totalRequests(placements: Placements): number {
  return placements.accesses.reduce((sum, f, i) => sum + f * placements.requestShare[i]!, 0);
}
