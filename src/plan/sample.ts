import type { Budgets } from './budgets.js';
import type { Problem } from './problem.js';

/**
 * A part of a problem without parents, capacities scaled with it: every k-th context in a scrambled order, so
 * that an order in the input does not bias it.
 */
export function sampleProblem(problem: Problem, size: number): Problem {
  const { demand } = problem;
  const n = demand.contexts;
  const stride = coprimeNear(Math.floor(n * 0.6180339887), n);
  const rows = new Int32Array(size);
  for (let k = 0, at = 0; k < size; k++, at = (at + stride) % n) rows[k] = at;
  const share = size / n;
  const pick = <T extends Float64Array | Int32Array | Uint32Array>(column: T): T => {
    const picked = new (column.constructor as new (length: number) => T)(size);
    for (let k = 0; k < size; k++) picked[k] = column[rows[k]!]!;
    return picked;
  };
  return {
    ...problem,
    tiers: problem.tiers.map((tier) => ({
      ...tier,
      capacityBytes: tier.capacityBytes * share,
      bytesPerSecondBudget: tier.bytesPerSecondBudget * share,
    })),
    curveOf: pick(problem.curveOf),
    allowed: pick(problem.allowed),
    recomputeSeconds: pick(problem.recomputeSeconds),
    ...(problem.inForce === undefined ? {} : { inForce: pick(problem.inForce) }),
    ...(problem.budgets === undefined ? {} : { budgets: scaled(problem.budgets, share) }),
    demand: {
      ...demand,
      contexts: size,
      ids: [],
      tokens: pick(demand.tokens),
      startTokens: pick(demand.startTokens),
      fullBytes: pick(demand.fullBytes),
      accesses: pick(demand.accesses),
      requestShare: pick(demand.requestShare),
      parents: new Int32Array(size).fill(-1),
      classOf: pick(demand.classOf),
      tenantOf: pick(demand.tenantOf),
    },
  };
}

/** Budgets for a part of the contexts; a tenant's share is one of the capacity, which is scaled already. */
function scaled(budgets: Budgets, share: number): Budgets {
  return {
    ...budgets,
    writtenBytes: budgets.writtenBytes.map((bytes) => bytes * share),
    moneyPerMonth: budgets.moneyPerMonth * share,
  };
}

function coprimeNear(start: number, n: number): number {
  let candidate = Math.max(1, start);
  while (gcd(candidate, n) !== 1) candidate++;
  return candidate;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
