import { Assignment } from './assignment.js';
import { totalUtility } from './baseline.js';
import { blendAnswers } from './blend.js';
import { IndependentLagrangian } from './independent.js';
import type { Problem } from './problem.js';
import { coreNear, type Relaxation, sumsOf } from './relaxation.js';
import { fillRoom, relieve } from './relieve.js';
import { type Tally, tallyOf } from './tally.js';

/**
 * Where prices settle most contexts, repair looks at so many of the others; at fewer in a large problem, of which each
 * weighs little, and at one of many limits.
 */
const REPAIR_OPEN = 600;
const REPAIR_LARGE = 300;
const REPAIR_CORE = 50;
/** Below so many contexts repair looks at all. */
const REPAIR_ALL = 2_000;
/** From here on repair need not look at every form of a context, nor at one of many limits at so many contexts. */
const REPAIR_WELL = 20_000;
/** Prices this share apart are near. */
const NEAR = 0.02;
/** The same at one of many limits, the next where the one before leaves too few open. */
const CORE_WIDTHS = [0.002, 0.01, 0.05];

/** A whole plan. */
export interface Candidate {
  readonly choices: Int32Array;
  readonly utility: number;
}

/** The better of two plans that may be missing. */
export function better(a: Candidate | undefined, b: Candidate | undefined): Candidate | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.utility > a.utility ? b : a;
}

/** Brings choices near the optimum within every limit and fills what room is left; undefined where that fails. */
export function repairedPlan(
  problem: Problem,
  relaxation: Relaxation,
  choices: Int32Array,
): Candidate | undefined {
  const { optimum } = relaxation;
  const assignment = assignmentOf(problem, relaxation, choices, problem.demand.contexts);
  const open = openNear(problem, relaxation);
  const plan = open && repairedOnOpen(assignment, relaxation, open);
  if (plan !== undefined) return plan;
  if (!relieve(assignment, { score: 'priced', prices: optimum.prices })) return undefined;
  fillRoom(assignment, optimum.prices);
  return { choices, utility: totalUtility(problem, choices) };
}

/** The same where only these contexts may change; undefined where that does not bring every row within its limit. */
function repairedOnOpen(
  assignment: Assignment,
  relaxation: Relaxation,
  open: Int32Array,
): Candidate | undefined {
  const { prices } = relaxation.optimum;
  if (!relieve(assignment, { score: 'priced', prices, candidates: open })) return undefined;
  fillRoom(assignment, prices, open);
  const { problem, choices } = assignment;
  return { choices, utility: sumsOf(problem, relaxation, choices).utility };
}

/** The contexts that choose otherwise where prices differ a little; undefined where all may as well be looked at. */
function openNear(problem: Problem, relaxation: Relaxation): Int32Array | undefined {
  const { rows, lagrangian, optimum, split } = relaxation;
  if (split !== undefined && !problem.hasParents) return thinned(split.open, REPAIR_LARGE);
  if (problem.demand.contexts < REPAIR_ALL) return undefined;
  if (lagrangian instanceof IndependentLagrangian)
    return thinned(coreNear(relaxation, lagrangian, NEAR).split.open);
  if (!problem.hasParents) return undefined;
  // In a tree a change needs its neighbours' consent: all of them are looked at.
  const at = (factor: number) => optimum.prices.map((price) => price * factor);
  const [cheap, dear] = [1 - NEAR, 1 + NEAR].map((factor) => {
    const choices = new Int32Array(problem.demand.contexts);
    lagrangian.choose(at(factor), new Float64Array(rows.length), choices);
    return choices;
  });
  return (split?.open ?? Int32Array.from(cheap!.keys())).filter((i) => cheap![i] !== dear![i]);
}

/** An even selection of contexts: enough moves to fill the last byte, few enough to look at. */
export function thinned(open: Int32Array, most = REPAIR_OPEN): Int32Array {
  const step = Math.max(1, open.length / most);
  const picked = new Int32Array(Math.min(open.length, most));
  for (let k = 0; k < picked.length; k++) picked[k] = open[Math.floor(k * step)]!;
  return picked;
}

/**
 * A whole plan made of a relaxation that is about a core: only what prices next to the optimum leave open may change.
 * @param contexts of the whole instance: the fewer they are, the more each weighs, and the more are looked at.
 * @returns what it adds up to with all that is settled; undefined where the open contexts cannot keep every limit.
 */
export function repairedCore(relaxation: Relaxation, contexts: number): Tally | undefined {
  const { rows, lagrangian, split } = relaxation;
  if (split === undefined || !(lagrangian instanceof IndependentLagrangian)) return undefined;
  const most = contexts < REPAIR_WELL ? REPAIR_OPEN : REPAIR_CORE;
  for (const width of CORE_WIDTHS) {
    const { problem, split } = coreNear(relaxation, lagrangian, width);
    if (split.open.length < most && width !== CORE_WIDTHS.at(-1)) continue;
    const near = { ...relaxation, split, lagrangian: new IndependentLagrangian(problem, rows, split) };
    const choices = blendAnswers(problem, near);
    const assignment = assignmentOf(problem, near, choices, contexts);
    if (repairedOnOpen(assignment, near, thinned(split.open, most)) !== undefined)
      return tallyOf(problem, rows, choices, split.open, split.exact);
  }
  return undefined;
}

/** Choices that may change for repair. Of many contexts' forms those that are best at some price will do. */
function assignmentOf(
  problem: Problem,
  relaxation: Relaxation,
  choices: Int32Array,
  contexts: number,
): Assignment {
  const { rows, lagrangian } = relaxation;
  const { use } = sumsOf(problem, relaxation, choices);
  return contexts >= REPAIR_WELL && lagrangian instanceof IndependentLagrangian
    ? new Assignment(problem, rows, choices, use, lagrangian.scan.lists)
    : new Assignment(problem, rows, choices, use);
}
