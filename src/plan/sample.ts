import type { Problem } from './problem.js';

/** Some contexts of a problem on their own, without parents: every column picked, everything else as it is. */
export function pickContexts(problem: Problem, which: Int32Array): Problem {
  const { demand } = problem;
  const size = which.length;
  const pick = <T extends Float64Array | Int32Array | Uint32Array>(column: T): T => {
    const picked = new (column.constructor as new (length: number) => T)(size);
    for (let k = 0; k < size; k++) picked[k] = column[which[k]!]!;
    return picked;
  };
  return {
    ...problem,
    hasParents: false,
    curveOf: pick(problem.curveOf),
    allowed: pick(problem.allowed),
    recomputeSeconds: pick(problem.recomputeSeconds),
    ...(problem.inForce === undefined ? {} : { inForce: pick(problem.inForce) }),
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

/** So many of n contexts: every k-th in a scrambled order, so that an order in the input does not bias them. */
export function sampleOf(n: number, size: number): Int32Array {
  const stride = coprimeNear(Math.floor(n * 0.6180339887), n);
  const which = new Int32Array(size);
  for (let k = 0, at = 0; k < size; k++, at = (at + stride) % n) which[k] = at;
  return which;
}

function coprimeNear(start: number, n: number): number {
  let candidate = Math.max(1, start);
  while (gcd(candidate, n) !== 1) candidate++;
  return candidate;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
