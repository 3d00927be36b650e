import type { MethodRow } from '../../formats/methods.js';
import type { Model } from '../../formats/model.js';
import type { Placement, Plan } from '../../formats/plan.js';
import type { PolicyResult } from '../../formats/replay.js';
import type { Tier } from '../../formats/tiers.js';
import { storedBytesOf, utilityOf } from '../../plan/choice-costs.js';
import { fitCurves } from '../../plan/curves.js';
import { choiceInForce } from '../../plan/in-force.js';
import { KEEP_NOTHING, type Problem } from '../../plan/problem.js';
import { compressionOf } from '../../replay/compression.js';
import { LogFacts } from '../../replay/log-facts.js';
import { planRowOfBlocks, UNPLANNED } from '../../replay/plan-levels.js';
import { policyRun } from '../../replay/runs.js';
import { replay } from '../../replay/simulator.js';
import type { SegmentDemand } from '../../traces/segments.js';
import type { Trace } from '../../traces/trace.js';

/** What a recent log is replayed against. */
export interface Yardstick {
  readonly trace: Trace;
  readonly tiers: readonly Tier[];
  readonly model: Model;
  readonly methods: readonly MethodRow[];
  /** Requests that only fill the caches. */
  readonly warm: number;
}

/** How a plan did on a log, in the replay. */
export interface PlanScore {
  readonly meanTtftSeconds: number;
  readonly meanQuality: number;
  /** Share of the reusable tokens that were served from a tier. */
  readonly hitShare: number;
  /** alpha · quality − TTFT, mean over the requests, in seconds. */
  readonly utilitySeconds: number;
  readonly result: PolicyResult;
}

/** Replays a log under a plan. */
export function scorePlan(
  plan: Plan,
  { trace, tiers, model, methods, warm }: Yardstick,
  alpha: number,
): PlanScore {
  const compression = compressionOf(trace, methods.length === 0 ? undefined : fitCurves(methods));
  const { result } = replay(
    { trace, facts: new LogFacts(trace), tiers, model, compression, warm, plan, objective: { alpha } },
    policyRun('evicpress', trace, compression),
  );
  return {
    meanTtftSeconds: result.ttft.mean,
    meanQuality: result.meanQuality,
    hitShare: Object.values(result.hitShare).reduce((sum, share) => sum + share, 0),
    utilitySeconds: alpha * result.meanQuality - result.ttft.mean,
    result,
  };
}

/** A plan beside a log: by block, the row that it belongs to, UNPLANNED where none does. */
export interface PlanOnLog {
  readonly plan: Plan;
  readonly rowOfBlock: Int32Array;
}

/** Finds the rows of a plan in a log. */
export function planOnLog(plan: Plan, trace: Trace): PlanOnLog {
  return { plan, rowOfBlock: planRowOfBlocks(trace, plan.rows) };
}

/** The plan in force, looked at with the new demand. */
export interface StandingPlan {
  /** Its utility in a period, by the plan's own sums. */
  readonly utility: number;
  /** Bytes that a change to the new choices would write, for contexts that both plans keep. */
  readonly bytesToMove: number;
  /** Whether its placements still fit the tiers. */
  readonly fits: boolean;
}

/**
 * What the plan in force is worth under the new problem: each segment takes the option of the row that covers its
 * last block; what no row covers is placed by the plan's prices, as an engine would; what hangs on something that
 * is not kept is not kept either. Bytes beyond a tier's capacity are charged at the new plan's price.
 * @param choices of the new plan, and @param prices its prices per byte, by tier.
 */
export function judgeStanding(
  onLog: PlanOnLog,
  demand: SegmentDemand,
  problem: Problem,
  choices: Int32Array,
  prices: readonly number[],
): StandingPlan {
  const { standing, covered } = standingChoices(onLog, demand, problem);
  const used = new Float64Array(problem.tiers.length);
  const coveredBytes = new Float64Array(problem.tiers.length);
  const forms = problem.forms.storedBytes.length;
  let utility = 0;
  let bytesToMove = 0;
  standing.forEach((choice, i) => {
    utility += utilityOf(problem, i, choice);
    if (choice === KEEP_NOTHING) return;
    const bytes = storedBytesOf(problem, i, choice % forms);
    used[Math.floor(choice / forms)]! += bytes;
    if (covered[i] === 1) coveredBytes[Math.floor(choice / forms)]! += bytes;
    const next = choices[i]!;
    if (next !== KEEP_NOTHING && next !== choice) bytesToMove += storedBytesOf(problem, i, next % forms);
  });
  problem.tiers.forEach((tier, t) => {
    utility -= prices[t]! * Math.max(0, used[t]! - tier.capacityBytes);
  });
  const fits = problem.tiers.every((tier, t) => coveredBytes[t]! <= tier.capacityBytes * (1 + 1e-9));
  return { utility, bytesToMove, fits };
}

/** By segment: its last block. Blocks are numbered as they first appear, so it is the largest of the segment's. */
function lastBlocks(demand: SegmentDemand): Int32Array {
  const lastBlock = new Int32Array(demand.contexts).fill(-1);
  demand.segmentOfBlock.forEach((s, block) => {
    if (s >= 0 && block > lastBlock[s]!) lastBlock[s] = block;
  });
  return lastBlock;
}

/**
 * The rows of a plan under the names that today's segments have: segments split and merge as counts change, and a
 * cache is where it was whatever it is called.
 */
export function rowsOfSegments({ plan, rowOfBlock }: PlanOnLog, demand: SegmentDemand): Placement[] {
  const rows: Placement[] = [];
  lastBlocks(demand).forEach((block, i) => {
    const row = rowOfBlock[block]!;
    if (row !== UNPLANNED) rows.push({ ...plan.rows[row]!, context: demand.ids[i]! });
  });
  return rows;
}

function standingChoices(
  { plan, rowOfBlock }: PlanOnLog,
  demand: SegmentDemand,
  problem: Problem,
): { standing: Int32Array; covered: Uint8Array } {
  const oldPrices = problem.tiers.map(
    ({ name }) => plan.header.tiers.find((tier) => tier.name === name)?.price ?? 0,
  );
  const covered = new Uint8Array(demand.contexts);
  const lastBlock = lastBlocks(demand);
  const choices = new Int32Array(demand.contexts).fill(KEEP_NOTHING);
  for (let i = 0; i < choices.length; i++) {
    const parent = demand.parents[i]!;
    if (parent >= 0 && choices[parent] === KEEP_NOTHING) continue;
    const row = rowOfBlock[lastBlock[i]!]!;
    if (row === UNPLANNED) choices[i] = choiceByPrices(problem, i, oldPrices);
    else {
      choices[i] = choiceInForce(problem, i, plan.rows[row]!);
      covered[i] = 1;
    }
  }
  return { standing: choices, covered };
}

/** What an engine does with a context that no row names: the option worth most after paying for its bytes. */
function choiceByPrices(problem: Problem, i: number, prices: readonly number[]): number {
  const { offsets, storedBytes } = problem.forms;
  const curve = problem.curveOf[i]!;
  let best = KEEP_NOTHING;
  let bestValue = utilityOf(problem, i, KEEP_NOTHING);
  for (let tier = 0; tier < problem.tiers.length; tier++) {
    if (((problem.allowed[i]! >>> tier) & 1) === 0) continue;
    for (let form = offsets[curve]!; form < offsets[curve + 1]!; form++) {
      const choice = tier * storedBytes.length + form;
      const value = utilityOf(problem, i, choice) - prices[tier]! * storedBytesOf(problem, i, form);
      if (value > bestValue) {
        best = choice;
        bestValue = value;
      }
    }
  }
  return best;
}
