import { keysOfSegments } from '../../engines/context-keys.js';
import { offerOf } from '../../engines/offer.js';
import { requestsOf } from '../../formats/demand.js';
import type { MethodRow } from '../../formats/methods.js';
import { RECOMPUTE } from '../../formats/names.js';
import type { Placement, Plan, PlanHeader } from '../../formats/plan.js';
import type { Tier } from '../../formats/tiers.js';
import { learnClassRules } from '../../plan/class-rules.js';
import { knownConstraints } from '../../plan/constraints.js';
import { demandsOf } from '../../plan/demands.js';
import { planContexts } from '../../plan/plan-contexts.js';
import type { Trace } from '../../traces/trace.js';
import { formatSeconds, formatShare } from '../../units.js';
import { judgeStanding, type PlanScore, planOnLog, rowsOfSegments, scorePlan } from './compare.js';
import { keepsToOther } from './demands.js';
import type { MadeFor } from './drift/identity.js';
import type { TurnInputs, TurnOptions } from './options.js';
import { recentDemand } from './recent-demand.js';

/** The first half of the recent requests fills the caches, the second half is judged. */
const WARM_SHARE = 0.5;

/** What a plan is made and judged from in this turn: the measurements, corrected where they drifted. */
export interface Corrected {
  readonly tiers: readonly Tier[];
  readonly methods: readonly MethodRow[];
  /** Tiers that cannot be used at all. */
  readonly gone: readonly string[];
}

/** A new plan beside the one in force. */
export interface Candidate {
  readonly header: PlanHeader;
  readonly rows: readonly Placement[];
  readonly score: PlanScore;
  readonly solveSeconds: number;
  /** Undefined where no plan is in force. */
  readonly comparison?: Comparison;
}

/** Old and new on the same recent log; gains are shares of the old plan's mean TTFT. */
export interface Comparison {
  readonly old: PlanScore;
  /** By the replay of the recent log. */
  readonly replayedGain: number;
  /** By the plans' own sums on the new demand, the cost of moving subtracted. */
  readonly predictedGain: number;
  readonly bytesToMove: number;
  readonly oldFits: boolean;
}

/**
 * Makes the best plan for the recent demand, warm from the prices of the one in force, and compares the two.
 * @returns undefined where nothing was reused yet, so that there is nothing to plan.
 * @param madeFor what the plan is good for and nothing else; its header says so.
 * @throws EvicpressError where no plan keeps every limit.
 */
export async function makeCandidate(
  trace: Trace,
  inputs: TurnInputs,
  corrected: Corrected,
  inForce: Plan | undefined,
  generation: number,
  options: TurnOptions,
  madeFor: MadeFor,
): Promise<Candidate | undefined> {
  const { model } = inputs;
  const demand = recentDemand(trace, {
    model,
    halfLifeSeconds: options.halfLifeSeconds,
    periodSeconds: options.periodSeconds,
  });
  if (demand.contexts === 0) return undefined;
  const usable = corrected.tiers.filter((tier) => !corrected.gone.includes(tier.name));
  const { offered, forbidden } = offerOf(options.engine, usable);
  const constraints = knownConstraints(options.constraints, demand);
  const before = inForce === undefined ? undefined : planOnLog(inForce, trace);
  const planned = await planContexts({
    ...constraints,
    ...(offered === undefined ? {} : { offered }),
    forbidden: [...(constraints.forbidden ?? []), ...forbidden],
    demand,
    tiers: usable,
    model,
    methods: corrected.methods,
    alpha: options.alpha,
    solver: options.solver,
    ...(options.meanQuality === undefined ? {} : { target: { meanQuality: options.meanQuality } }),
    ...(options.confidence === undefined ? {} : { confidence: options.confidence }),
    ...(before === undefined
      ? {}
      : { previous: before.plan.header, previousRows: rowsOfSegments(before, demand) }),
    migrationSecondsPerGb: options.migrationSecondsPerByte * 1e9,
    inputs: inputs.files,
  });
  const keys = keysOfSegments(trace, demand);
  const rows = [...planned.rows()].map((row, i) => (keys === undefined ? row : { ...row, keys: keys[i]! }));
  const header: PlanHeader = {
    ...planned.header,
    generation,
    madeFor,
    demands: demandsOf(options.constraints),
    rules: {
      ...planned.header.rules,
      halfLifeSeconds: options.halfLifeSeconds,
      classes: learnClassRules(planned.problem, planned.solution.choices),
    },
    ...(options.engine === undefined ? {} : { engine: options.engine }),
  };
  const { alpha } = header.objective;
  const yardstick = {
    trace,
    tiers: usable,
    model,
    methods: corrected.methods,
    warm: Math.floor(WARM_SHARE * trace.requests),
  };
  const score = scorePlan({ header, rows }, yardstick, alpha);
  const candidate = { header, rows, score, solveSeconds: planned.solveSeconds };
  if (before === undefined) return candidate;
  const old = scorePlan(before.plan, yardstick, alpha);
  const prices = header.tiers.map((tier) => tier.price);
  const { problem, solution } = planned;
  const standing = judgeStanding(before, demand, problem, solution.choices, prices);
  const requests = requestsOf(demand);
  const moving = standing.bytesToMove * options.migrationSecondsPerByte;
  const perRequest = (header.summary.utility - standing.utility - moving) / Math.max(requests, 1e-9);
  const scale = Math.max(old.meanTtftSeconds, 1e-9);
  return {
    ...candidate,
    comparison: {
      old,
      replayedGain: (score.utilitySeconds - old.utilitySeconds) / scale,
      predictedGain: perRequest / scale,
      bytesToMove: standing.bytesToMove,
      oldFits: standing.fits,
    },
  };
}

/** Whether to publish, and why. */
export interface Decision {
  readonly publish: boolean;
  readonly reason: string;
}

/**
 * The new plan is published when the replay of the recent log finds it better by more than the least gain; when
 * the replay finds no such difference, but no loss either, the plans' own sums decide.
 */
export function decide(
  candidate: Candidate,
  inForce: Plan | undefined,
  invalid: readonly string[],
  gone: readonly string[],
  { constraints, minGain }: Pick<TurnOptions, 'constraints' | 'minGain'>,
): Decision {
  const { comparison } = candidate;
  if (comparison === undefined || inForce === undefined) return { publish: true, reason: 'the first plan' };
  if (invalid.length > 0) return { publish: true, reason: invalid.join('; ') };
  if (keepsToOther(inForce.header, demandsOf(constraints)))
    return { publish: true, reason: 'what a plan must keep to has changed since the plan in force was made' };
  const stranded = gone.filter((name) =>
    inForce.rows.some((row) => row.tier === name && row.tier !== RECOMPUTE),
  );
  if (stranded.length > 0)
    return {
      publish: true,
      reason: `the plan in force keeps contexts in ${stranded.join(', ')}, which is gone`,
    };
  if (!comparison.oldFits) return { publish: true, reason: 'the plan in force no longer fits the tiers' };
  const { replayedGain, predictedGain, old } = comparison;
  const replayed = `replayed on the recent log, a request gains ${formatShare(replayedGain)} of its TTFT of ${formatSeconds(old.meanTtftSeconds)}`;
  const predicted = `by the plans' own sums ${formatShare(predictedGain)}`;
  const least = `the least gain is ${formatShare(minGain)}`;
  if (replayedGain > minGain) return { publish: true, reason: `${replayed}; ${least}` };
  if (replayedGain < -minGain) return { publish: false, reason: `${replayed}; ${predicted}` };
  return { publish: predictedGain > minGain, reason: `${replayed}, ${predicted}; ${least}` };
}
