import type { Placement } from './plan.js';

/** The contexts of a plan that are stored alike, summed. */
export interface PlacementGroup {
  readonly tier: string;
  readonly method: string;
  readonly compressionRatio: number;
  readonly contexts: number;
  readonly storedBytes: number;
  readonly accesses: number;
  /** Accesses weighted by requestShare: requests. */
  readonly requests: number;
}

/** Sums up a plan's rows by tier, method and ratio, while they pass by or all at once. */
export class PlacementGroups implements Iterable<PlacementGroup> {
  private readonly groups = new Map<
    string,
    Map<string, Map<number, { -readonly [K in keyof PlacementGroup]: PlacementGroup[K] }>>
  >();

  constructor(rows: Iterable<Placement> = []) {
    for (const row of rows) this.add(row);
  }

  /** The rows unchanged, each counted as it passes. */
  *counting(rows: Iterable<Placement>): Generator<Placement> {
    for (const row of rows) {
      this.add(row);
      yield row;
    }
  }

  *[Symbol.iterator](): Generator<PlacementGroup> {
    for (const methods of this.groups.values()) for (const ratios of methods.values()) yield* ratios.values();
  }

  private add({ tier, method, compressionRatio, storedBytes, accesses, requestShare = 1 }: Placement): void {
    const ratios = inner(inner(this.groups, tier), method);
    let group = ratios.get(compressionRatio);
    if (group === undefined) {
      group = { tier, method, compressionRatio, contexts: 0, storedBytes: 0, accesses: 0, requests: 0 };
      ratios.set(compressionRatio, group);
    }
    group.contexts++;
    group.storedBytes += storedBytes;
    group.accesses += accesses;
    group.requests += accesses * requestShare;
  }
}

function inner<K, L, V>(map: Map<K, Map<L, V>>, key: K): Map<L, V> {
  let found = map.get(key);
  if (found === undefined) {
    found = new Map();
    map.set(key, found);
  }
  return found;
}
