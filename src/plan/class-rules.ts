import { type ClassRule, type Placement, RECOMPUTE } from '../formats/plan.js';
import type { Demand } from './demand.js';

/** Rules for so many classes and tenants; beyond it the rarest go without and take the general rule. */
const MOST_CLASSES = 1000;

type Group = Pick<ClassRule, 'class' | 'tenant'>;
type Option = Pick<ClassRule, 'method' | 'compressionRatio' | 'bytesFraction' | 'quality'>;

interface Tally {
  readonly group: Group;
  contexts: number;
  accesses: number;
  /** Σ accesses·tokens and Σ accesses·requestShare: their ratio is the reusable tokens of a request. */
  tokens: number;
  requests: number;
  readonly byOption: Map<string, { readonly rule: Option; weight: number }>;
}

/**
 * The rules for contexts that no row names, learned from the plan's own rows: one for all, one per class and one
 * per tenant. A group is stored as most of its reuse is, and is expected to be reused as often as its contexts
 * were on average.
 * @param rows the plan's rows, in the demand's order.
 */
export function learnClassRules(demand: Demand, rows: Iterable<Placement>): ClassRule[] {
  const all = emptyTally({});
  const ofClass = new Map<number, Tally>();
  const ofTenant = new Map<number, Tally>();
  let i = 0;
  for (const row of rows) {
    const [contextClass, tenant] = [demand.classOf[i]!, demand.tenantOf[i]!];
    note(all, row, demand, i);
    if (contextClass >= 0)
      note(tallyOf(ofClass, contextClass, { class: demand.classes[contextClass]! }), row, demand, i);
    if (tenant >= 0) note(tallyOf(ofTenant, tenant, { tenant: demand.tenants[tenant]! }), row, demand, i);
    i++;
  }
  return [all, ...ofClass.values(), ...ofTenant.values()]
    .sort((a, b) => b.accesses - a.accesses)
    .slice(0, MOST_CLASSES)
    .flatMap(({ group, contexts, accesses, tokens, requests, byOption }) => {
      const [usual] = [...byOption.values()].sort((a, b) => b.weight - a.weight);
      if (usual === undefined) return [];
      const requestTokens = requests > 0 ? { requestTokens: tokens / requests } : {};
      return [{ ...group, accesses: accesses / contexts, ...requestTokens, ...usual.rule }];
    });
}

const emptyTally = (group: Group): Tally => ({
  group,
  contexts: 0,
  accesses: 0,
  tokens: 0,
  requests: 0,
  byOption: new Map(),
});

function tallyOf(tallies: Map<number, Tally>, key: number, group: Group): Tally {
  const known = tallies.get(key) ?? emptyTally(group);
  tallies.set(key, known);
  return known;
}

function note(tally: Tally, row: Placement, demand: Demand, i: number): void {
  tally.contexts++;
  tally.accesses += row.accesses;
  tally.tokens += row.accesses * demand.tokens[i]!;
  tally.requests += row.accesses * demand.requestShare[i]!;
  if (row.tier === RECOMPUTE) return;
  const { method, compressionRatio, quality } = row;
  const option = `${method}@${compressionRatio}`;
  const known = tally.byOption.get(option);
  if (known !== undefined) known.weight += row.accesses;
  else
    tally.byOption.set(option, {
      weight: row.accesses,
      rule: { method, compressionRatio, bytesFraction: row.storedBytes / demand.fullBytes[i]!, quality },
    });
}
