import { RECOMPUTE, UNCOMPRESSED } from '../formats/names.js';
import type { Placement, PlanHeader, Rules } from '../formats/plan.js';
import { formatHeader } from '../formats/schema.js';
import { gapOfSpan } from './baseline.js';
import { qualityOf, storedBytesOf, ttftOf } from './choice-costs.js';
import { KEEP_NOTHING, type Problem } from './problem.js';
import { type ByteRow, couplingRows, namesOf, totalUse } from './rows.js';
import type { Solution } from './solvers/solver.js';

/** What a plan says beyond its solution. */
export interface PlanFacts {
  readonly model: string | null;
  readonly generation: number;
  readonly rules: Rules;
  readonly inputs: readonly { readonly path: string; readonly sha256: string }[];
  /** More fields of the objective: floors, targets. */
  readonly objective?: Readonly<Record<string, unknown>>;
}

/** The header of a plan: prices, proof and sums, as the contract states them. */
export function planHeader(problem: Problem, solution: Solution, facts: PlanFacts): PlanHeader {
  const rows = couplingRows(problem);
  const priceOf = (t: number) => {
    const row = rows.findIndex((entry) => entry.kind === 'capacity' && entry.tier === t);
    return row < 0 ? 0 : solution.prices[row]!;
  };
  const usedBytes = usedByTier(problem, solution.choices);
  const limits = limitsOf(problem, rows, solution);
  const gap = Math.max(0, solution.bound - solution.utility);
  return {
    ...formatHeader('plan'),
    format: 'evicpress.plan',
    generation: facts.generation,
    model: facts.model,
    periodSeconds: problem.demand.periodSeconds,
    objective: { alpha: problem.alpha, ...facts.objective },
    tiers: problem.tiers.map((tier, t) => ({
      name: tier.name,
      kind: tier.kind,
      capacityBytes: Number.isFinite(tier.capacityBytes) ? tier.capacityBytes : null,
      ...(tier.reservedBytes > 0 ? { reservedBytes: tier.reservedBytes } : {}),
      usedBytes: usedBytes[t]!,
      price: priceOf(t),
      readBytesPerSecond: tier.read.bytesPerSecond,
      ...(tier.moneyPerByte > 0 ? { pricePerGbMonth: tier.moneyPerByte * 1e9 } : {}),
    })),
    ...(limits.length === 0 ? {} : { limits }),
    summary: {
      contexts: problem.demand.contexts,
      utility: solution.utility,
      bound: Math.max(solution.bound, solution.utility),
      relaxationBound: Math.max(solution.relaxationBound, solution.bound, solution.utility),
      gap,
      gapOfSpan: gapOfSpan(solution.bound, solution.utility, solution.baseline),
      ...planMeans(problem, solution.choices),
      ...(problem.tiers.some((tier) => tier.moneyPerByte > 0)
        ? {
            moneyPerMonth: problem.tiers.reduce((sum, tier, t) => sum + tier.moneyPerByte * usedBytes[t]!, 0),
          }
        : {}),
      solver: solution.solver,
    },
    rules: { ...facts.rules, prefillSecondsPerToken: meanPrefill(problem) },
    inputs: [...facts.inputs],
  };
}

/** What is used of every limit but the tiers' capacities, and what it costs. */
function limitsOf(
  problem: Problem,
  rows: readonly ByteRow[],
  { choices, prices }: Solution,
): NonNullable<PlanHeader['limits']> {
  const use = totalUse(problem, rows, choices);
  return rows.flatMap((row, r) =>
    row.kind === 'capacity'
      ? []
      : [{ kind: row.kind, ...namesOf(problem, row), limit: row.limit, used: use[r]!, price: prices[r]! }],
  );
}

/** Seconds to recompute a token, over all contexts: what an engine saves by keeping one it does not know. */
function meanPrefill({ demand, recomputeSeconds }: Problem): number {
  const tokens = demand.tokens.reduce((sum, n) => sum + n, 0);
  return tokens === 0 ? 0 : recomputeSeconds.reduce((sum, s) => sum + s, 0) / tokens;
}

/** Bytes stored in each tier, by tier. */
export function usedByTier(problem: Problem, choices: Int32Array): Float64Array {
  const used = new Float64Array(problem.tiers.length);
  const count = problem.forms.storedBytes.length;
  for (let i = 0; i < choices.length; i++) {
    const choice = choices[i]!;
    if (choice !== KEEP_NOTHING)
      used[Math.floor(choice / count)]! += storedBytesOf(problem, i, choice % count);
  }
  return used;
}

/** Accesses-weighted means: Σ accesses·x / Σ accesses·requestShare. */
export function planMeans(
  problem: Problem,
  choices: Int32Array,
): { meanTtftSeconds: number; meanQuality: number } {
  const { accesses, requestShare } = problem.demand;
  let weight = 0;
  let ttft = 0;
  let quality = 0;
  for (let i = 0; i < choices.length; i++) {
    const f = accesses[i]!;
    weight += f * requestShare[i]!;
    ttft += f * ttftOf(problem, i, choices[i]!);
    quality += f * requestShare[i]! * qualityOf(problem, choices[i]!);
  }
  return weight === 0
    ? { meanTtftSeconds: 0, meanQuality: 1 }
    : { meanTtftSeconds: ttft / weight, meanQuality: Math.min(1, quality / weight) };
}

/** The plan's rows, one context at a time. */
export function* placements(problem: Problem, choices: Int32Array): Generator<Placement> {
  for (let i = 0; i < choices.length; i++) yield placementOf(problem, i, choices[i]!);
}

/** One context's row under a choice. Fields are set one by one: a million rows are made of spreads too slowly. */
export function placementOf(problem: Problem, i: number, choice: number): Placement {
  const { demand, forms, tiers } = problem;
  const parent = demand.parents[i]!;
  const share = demand.requestShare[i]!;
  const kept = choice !== KEEP_NOTHING;
  const count = forms.storedBytes.length;
  const form = choice % count;
  const lossy = kept ? forms.lossyNames[forms.lossyOf[form]!] : undefined;
  const row: Placement = {
    context: demand.ids[i]!,
    parent: parent < 0 ? undefined : demand.ids[parent]!,
    tier: kept ? tiers[Math.floor(choice / count)]!.name : RECOMPUTE,
    method: lossy?.method ?? UNCOMPRESSED,
    compressionRatio: lossy?.compressionRatio ?? 0,
    storedBytes: kept ? storedBytesOf(problem, i, form) : 0,
    quality: qualityOf(problem, choice),
    ttftSeconds: ttftOf(problem, i, choice),
    accesses: demand.accesses[i]!,
    requestShare: share === 1 ? undefined : share,
  };
  const decompressSeconds = kept ? forms.decompressSecondsPerByte[form]! * demand.fullBytes[i]! : 0;
  if (decompressSeconds > 0) row.decompressSeconds = decompressSeconds;
  return row;
}
