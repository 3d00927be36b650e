import { qualityOf, storedBytesOf, ttftOf } from './choice-costs.js';
import { KEEP_NOTHING, type Problem } from './problem.js';

/**
 * The coupling constraints of a problem, one row each: what all contexts together may use. A choice uses of a
 * problem's own rows an amount proportional to its stored bytes:
 * - capacity of a tier: the bytes;
 * - bandwidth of a tier: the bytes times the accesses;
 * - a tenant's share of a tier: the bytes of that tenant's contexts;
 * - writes to a tier: the bytes that do not lie there already;
 * - money: the bytes times what a byte of the tier costs in a month.
 * Searches that look at every option may have rows of the means beside them, for which no price of a byte can stand:
 * - ttft: the seconds times the accesses;
 * - quality, and loss, what is lacking of it: times the accesses and their requestShare.
 */
export interface Row {
  readonly kind: ByteKind | 'ttft' | 'quality' | 'loss';
  /** ALL_TIERS for money and means. */
  readonly tier: number;
  /** Whose bytes count, for a tenant's share. */
  readonly tenant?: number;
  /** Bytes; bytes loaded or written per period; money per month. */
  readonly limit: number;
}

type ByteKind = 'capacity' | 'bandwidth' | 'tenant' | 'writes' | 'money';

/** A row of a problem itself. */
export interface ByteRow extends Row {
  readonly kind: ByteKind;
}

/** Contexts summed up between looks at the limits. */
const BLOCK = 4096;

/** The tier of a row that counts bytes wherever they are. */
export const ALL_TIERS = -1;

/** The rows that can bind: finite capacities and the budgets that are set, but for those that nobody can overstep. */
export function couplingRows(problem: Problem): ByteRow[] {
  return overstepped(problem, limitedRows(problem));
}

/** The same rows with the limits that they have in a problem of other capacities. */
export function rowsAs(rows: readonly Row[], problem: Problem): Row[] {
  const all = limitedRows(problem);
  return rows.map(
    ({ kind, tier, tenant }) =>
      all.find((row) => row.kind === kind && row.tier === tier && row.tenant === tenant)!,
  );
}

/** A row for every limit that is finite. What allows nothing is not offered at all, and needs no row. */
function limitedRows(problem: Problem): ByteRow[] {
  const { tiers, budgets, demand } = problem;
  const rows: ByteRow[] = [
    ...tiers.map(({ capacityBytes }, tier) => ({ kind: 'capacity' as const, tier, limit: capacityBytes })),
    ...tiers.map(({ bytesPerSecondBudget }, tier) => ({
      kind: 'bandwidth' as const,
      tier,
      limit: bytesPerSecondBudget * (demand.periodSeconds ?? 1),
    })),
  ];
  if (budgets !== undefined) {
    for (const { tenant, tier, share } of budgets.tenantShares)
      rows.push({ kind: 'tenant', tier, tenant, limit: share * tiers[tier]!.capacityBytes });
    budgets.writtenBytes.forEach((limit, tier) => {
      rows.push({ kind: 'writes', tier, limit });
    });
    rows.push({ kind: 'money', tier: ALL_TIERS, limit: budgets.moneyPerMonth });
  }
  return rows.filter(({ limit }) => Number.isFinite(limit) && limit > 0);
}

/** The rows that would be overstepped if every context were in its largest form, each in the tier that uses most. */
function overstepped(problem: Problem, rows: readonly ByteRow[]): ByteRow[] {
  const { demand, curveOf, tiers } = problem;
  const { fullBytes, accesses, tenantOf } = demand;
  const { share, asIs } = largestForms(problem);
  const dearest = Math.max(0, ...tiers.map((tier) => tier.moneyPerByte));
  const ofTenant = new Float64Array(demand.tenants.length);
  let stored = 0;
  let loaded = 0;
  const most = ({ kind, tenant }: Row) => {
    if (kind === 'bandwidth') return loaded;
    if (kind === 'tenant') return ofTenant[tenant!]!;
    return kind === 'money' ? stored * dearest : stored;
  };
  let unsure = rows;
  // Most limits are overstepped long before the last context.
  for (let from = 0; from < demand.contexts && unsure.length > 0; from += BLOCK) {
    const end = Math.min(demand.contexts, from + BLOCK);
    for (let i = from; i < end; i++) {
      const curve = curveOf[i]!;
      const bytes = Math.max(Math.ceil(fullBytes[i]! * share[curve]!), asIs[curve]!);
      stored += bytes;
      loaded += bytes * accesses[i]!;
      if (tenantOf[i]! >= 0) ofTenant[tenantOf[i]!]! += bytes;
    }
    unsure = unsure.filter((row) => most(row) <= row.limit);
  }
  return rows.filter((row) => !unsure.includes(row));
}

/** By curve: the largest share of the full bytes, and the largest bytes as they are. */
function largestForms({ forms }: Problem): { share: Float64Array; asIs: Float64Array } {
  const curves = forms.offsets.length - 1;
  const share = new Float64Array(curves);
  const asIs = new Float64Array(curves);
  for (let c = 0; c < curves; c++) {
    for (let form = forms.offsets[c]!; form < forms.offsets[c + 1]!; form++) {
      if (forms.lossyOf[form]! < 0) share[c] = Math.max(share[c]!, 1);
      else if (forms.ofBytes[form]! === 0) asIs[c] = Math.max(asIs[c]!, forms.storedBytes[form]!);
      else share[c] = Math.max(share[c]!, forms.storedBytes[form]! / forms.ofBytes[form]!);
    }
  }
  return { share, asIs };
}

/** The names of a row's tier and tenant, as plans have them. */
export function namesOf(
  { tiers, demand }: Problem,
  { tier, tenant }: Row,
): { readonly tier?: string; readonly tenant?: string } {
  return {
    ...(tier === ALL_TIERS ? {} : { tier: tiers[tier]!.name }),
    ...(tenant === undefined ? {} : { tenant: demand.tenants[tenant]! }),
  };
}

/** What a choice of context i uses of a row. @param tier and @param bytes of the choice; none and 0 where nothing is kept. */
function useOf(problem: Problem, row: Row, i: number, choice: number, tier: number, bytes: number): number {
  const { demand, inForce, tiers } = problem;
  switch (row.kind) {
    case 'capacity':
      return row.tier === tier ? bytes : 0;
    case 'bandwidth':
      return row.tier === tier ? bytes * demand.accesses[i]! : 0;
    case 'tenant':
      return row.tier === tier && row.tenant === demand.tenantOf[i]! ? bytes : 0;
    case 'writes':
      return row.tier === tier && inForce?.[i] !== choice ? bytes : 0;
    case 'money':
      return bytes === 0 ? 0 : bytes * tiers[tier]!.moneyPerByte;
    case 'ttft':
      return demand.accesses[i]! * ttftOf(problem, i, choice);
    case 'quality':
      return demand.accesses[i]! * demand.requestShare[i]! * qualityOf(problem, choice);
    case 'loss':
      return demand.accesses[i]! * demand.requestShare[i]! * (1 - qualityOf(problem, choice));
  }
}

/** Adds (or with sign −1 takes away) what a choice of context i uses to `use`, row by row. */
export function addUse(
  problem: Problem,
  rows: readonly Row[],
  i: number,
  choice: number,
  use: Float64Array,
  sign = 1,
): void {
  const count = problem.forms.storedBytes.length;
  const tier = Math.floor(choice / count);
  const bytes = choice === KEEP_NOTHING ? 0 : storedBytesOf(problem, i, choice % count);
  for (let r = 0; r < rows.length; r++) use[r]! += sign * useOf(problem, rows[r]!, i, choice, tier, bytes);
}

/** What all choices together use, row by row. */
export function totalUse(problem: Problem, rows: readonly Row[], choices: Int32Array): Float64Array {
  const use = new Float64Array(rows.length);
  for (let i = 0; i < choices.length; i++) addUse(problem, rows, i, choices[i]!, use);
  return use;
}

/** What sums that keep a limit may come to, as a multiple of it: they are rounded. */
export const KEPT = 1 + 1e-12;

/** Whether use keeps every limit, but for the rounding of sums. */
export function withinLimits(rows: readonly Row[], use: Float64Array): boolean {
  return rows.every((row, r) => use[r]! <= row.limit * KEPT);
}
