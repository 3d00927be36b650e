import { segmentLoadSeconds } from '../cost/transfer.js';
import { optionUtility } from '../cost/utility.js';
import type { Budgets } from './budgets.js';
import { KEEP_NOTHING, type Problem } from './problem.js';

/** Bytes context i takes in a form; pooled forms are scaled by the context's size and rounded up. */
export function storedBytesOf(problem: Problem, i: number, form: number): number {
  const { storedBytes, ofBytes, lossyOf } = problem.forms;
  if (lossyOf[form]! < 0) return problem.demand.fullBytes[i]!;
  const scale = ofBytes[form]!;
  return scale === 0
    ? storedBytes[form]!
    : Math.ceil((problem.demand.fullBytes[i]! * storedBytes[form]!) / scale);
}

/** Seconds until context i is loaded from a tier in a form (contract: the plan's sums). */
export function loadSecondsOf(problem: Problem, i: number, tier: number, form: number): number {
  const { demand, forms } = problem;
  const { tabled, read, latencySeconds, secondsPerByte } = problem.tiers[tier]!;
  const bytes = storedBytesOf(problem, i, form);
  const share = demand.requestShare[i]!;
  const load = tabled
    ? segmentLoadSeconds(read, bytes, share)
    : share * latencySeconds + bytes * secondsPerByte;
  return load + forms.decompressSecondsPerByte[form]! * demand.fullBytes[i]!;
}

/** Seconds of TTFT under a choice. */
export function ttftOf(problem: Problem, i: number, choice: number): number {
  if (choice === KEEP_NOTHING) return problem.recomputeSeconds[i]!;
  const count = problem.forms.storedBytes.length;
  return loadSecondsOf(problem, i, Math.floor(choice / count), choice % count);
}

/** Quality under a choice; recomputing gives the full cache's answer. */
export function qualityOf(problem: Problem, choice: number): number {
  return choice === KEEP_NOTHING ? 1 : problem.forms.quality[choice % problem.forms.storedBytes.length]!;
}

/** Utility of a choice in the period, less its charge and what it costs to get there from the plan in force. */
export function utilityOf(problem: Problem, i: number, choice: number): number {
  const { demand, alpha, budgets } = problem;
  const utility = optionUtility(
    demand.accesses[i]!,
    alpha,
    demand.requestShare[i]!,
    qualityOf(problem, choice),
    ttftOf(problem, i, choice),
  );
  return (
    utility -
    movingCost(problem, i, choice) -
    (budgets === undefined ? 0 : chargeOf(problem, budgets, i, choice))
  );
}

/** What the bytes of a choice are charged, in utility. */
function chargeOf(problem: Problem, { charge }: Budgets, i: number, choice: number): number {
  if (choice === KEEP_NOTHING) return 0;
  const count = problem.forms.storedBytes.length;
  return charge[Math.floor(choice / count)]! * storedBytesOf(problem, i, choice % count);
}

/**
 * Seconds that a change of choice costs: writing the bytes, and once the prefill where the cache in force is
 * lossy and another form is wanted, because what compression dropped can only be computed again.
 */
export function movingCost(problem: Problem, i: number, choice: number): number {
  const { inForce, movingSecondsPerByte, forms } = problem;
  if (inForce === undefined || movingSecondsPerByte === undefined) return 0;
  const before = inForce[i]!;
  if (choice === KEEP_NOTHING || choice === before) return 0;
  const count = forms.storedBytes.length;
  const write = movingSecondsPerByte * storedBytesOf(problem, i, choice % count);
  const rebuilt =
    before !== KEEP_NOTHING && forms.lossyOf[before % count]! >= 0 && choice % count !== before % count;
  return rebuilt ? write + problem.recomputeSeconds[i]! : write;
}
