import { RECOMPUTE, UNCOMPRESSED } from '../formats/names.js';
import { type PlacementGroup, PlacementGroups } from '../formats/placement-groups.js';
import type { Placement, PlanHeader } from '../formats/plan.js';
import type { Tier } from '../formats/tiers.js';
import { shellWord } from '../shell-word.js';

/** Everything a plan keeps in one tier with one method. */
export interface Place {
  readonly tier: string;
  readonly method: string;
  readonly contexts: number;
  readonly storedBytes: number;
  readonly accesses: number;
}

/** The plan's contexts summed by tier and method, in the order of the plan's tiers; recompute is left out. */
export function placesOf({
  header,
  rows,
}: {
  readonly header: PlanHeader;
  readonly rows: Iterable<Placement>;
}): Place[] {
  return placesOfGroups(header, new PlacementGroups(rows));
}

/** The same of a plan whose rows are summed up already. */
export function placesOfGroups(header: PlanHeader, groups: Iterable<PlacementGroup>): Place[] {
  const sums = new Map<string, { -readonly [K in keyof Place]: Place[K] }>();
  for (const { tier, method, contexts, storedBytes, accesses } of groups) {
    if (tier === RECOMPUTE) continue;
    const key = JSON.stringify([tier, method]);
    const sum = sums.get(key) ?? { tier, method, contexts: 0, storedBytes: 0, accesses: 0 };
    sum.contexts += contexts;
    sum.storedBytes += storedBytes;
    sum.accesses += accesses;
    sums.set(key, sum);
  }
  const rank = new Map(header.tiers.map((tier, i) => [tier.name, i]));
  return [...sums.values()].sort(
    (a, b) =>
      (rank.get(a.tier) ?? 0) - (rank.get(b.tier) ?? 0) ||
      Number(a.method !== UNCOMPRESSED) - Number(b.method !== UNCOMPRESSED) ||
      (a.method < b.method ? -1 : 1),
  );
}

/** A tier of the plan with what the profile knows of it. */
export interface PlannedTier {
  readonly name: string;
  readonly kind: string;
  /** What the plan may use, Infinity where it is unlimited. */
  readonly capacityBytes: number;
  readonly usedBytes: number;
  /** Room the engine keeps for itself, beside the capacity. */
  readonly reservedBytes: number;
  readonly location?: string;
  /** The URL of the service a bucket was measured at. */
  readonly endpoint?: string;
}

/** The plan's tiers, fast to slow, with kind and location of the profile's tier of the same name. */
export function plannedTiers(plan: { readonly header: PlanHeader }, tiers: readonly Tier[]): PlannedTier[] {
  return plan.header.tiers.map((planned) => {
    const profiled = tiers.find((tier) => tier.name === planned.name);
    const endpoint = endpointOf(profiled);
    return {
      name: planned.name,
      kind: planned.kind ?? profiled?.kind ?? (planned.name === 'dram' ? 'dram' : 'file'),
      capacityBytes: planned.capacityBytes ?? Number.POSITIVE_INFINITY,
      usedBytes: planned.usedBytes,
      reservedBytes: profiled?.reservedBytes ?? 0,
      ...(profiled?.location === undefined ? {} : { location: profiled.location }),
      ...(endpoint === undefined ? {} : { endpoint }),
    };
  });
}

/** What `profile tiers` has noted of a bucket's service among the details of its measurement, which have no schema. */
function endpointOf(tier: Tier | undefined): string | undefined {
  const { details } = (tier ?? {}) as { readonly details?: { readonly endpoint?: unknown } | null };
  const endpoint = details?.endpoint;
  return typeof endpoint === 'string' && URL.canParse(endpoint) ? endpoint : undefined;
}

/** The bytes an engine is told for a tier: its capacity, or where that is unlimited what the plan uses; 0 without one. */
export function budgetBytes(tier: PlannedTier | undefined): number {
  if (tier === undefined) return 0;
  return Number.isFinite(tier.capacityBytes) ? tier.capacityBytes : tier.usedBytes;
}

/** The folder of a file tier: where it was measured, else one of its own under /var/cache. */
export function folderOf({ name, location }: PlannedTier): string {
  return location ?? `/var/cache/evicpress/${name}`;
}

/** Bytes as GiB with three decimals, rounded down: a budget is never exceeded by rounding. */
export function gibibytes(bytes: number): number {
  return Math.floor((bytes / 2 ** 30) * 1000) / 1000;
}

/** A command over several lines: the program, then one flag with its values a line. */
export function shellCommand(program: string, flags: readonly (readonly string[])[]): string {
  return [program, ...flags.map((words) => `  ${words.map(shellWord).join(' ')}`)].join(' \\\n');
}

/** A shell script that starts an engine. */
export function script(comment: string, body: string): string {
  const lines = comment.split('\n').map((line) => `# ${line}`);
  return `#!/bin/sh\n${lines.join('\n')}\nset -eu\n${body}\n`;
}
