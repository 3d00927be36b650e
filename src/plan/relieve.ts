import type { Assignment } from './assignment.js';
import { fellSubtrees } from './fell.js';
import { MinHeap } from './heap.js';
import { KEEP_NOTHING } from './problem.js';
import { ALL_TIERS, KEPT, withinLimits } from './rows.js';

/** How a change that relieves a full tier is scored; the smallest goes first. */
export type Relief = 'drop' | 'drop-per-byte' | 'priced';

export interface RelieveOptions {
  readonly score: Relief;
  /** For 'priced': what a unit of each row is worth. */
  readonly prices?: Float64Array;
  /** Only compress in place, move to a lower tier or keep nothing, as the paper's greedy does. */
  readonly downward?: boolean;
  /** Look at these contexts only. */
  readonly candidates?: Int32Array;
}

/** Passes over the tiers before giving up: relief of one may overfill another. */
const MAX_PASSES = 8;

/**
 * Brings every row within its limit: tier by tier, fast to slow, the change with the best score first.
 * @returns whether all limits hold in the end.
 */
export function relieve(assignment: Assignment, options: RelieveOptions): boolean {
  if (relievedBySingles(assignment, options)) return true;
  if (!assignment.problem.hasParents || options.candidates !== undefined) return false;
  assignment.rows.forEach((row, r) => {
    fellSubtrees(assignment, r, row.limit);
  });
  // With less below it a context may take forms that were barred.
  return relievedBySingles(assignment, options);
}

/** The same by changes of single contexts. */
function relievedBySingles(assignment: Assignment, options: RelieveOptions): boolean {
  for (let pass = 0; pass < MAX_PASSES && !withinLimits(assignment.rows, assignment.use); pass++) {
    // In the last passes no other row may be overfilled any more, so that they end.
    const patient = options.downward === true || pass < MAX_PASSES / 2;
    assignment.rows.forEach((_, r) => {
      relieveRow(assignment, r, options, patient);
    });
  }
  return withinLimits(assignment.rows, assignment.use);
}

function relieveRow(assignment: Assignment, r: number, options: RelieveOptions, patient: boolean): void {
  const { rows, use } = assignment;
  const row = rows[r]!;
  const limit = row.limit * KEPT;
  if (use[r]! <= limit) return;
  const heap = new MinHeap();
  const best = { choice: KEEP_NOTHING, score: Number.POSITIVE_INFINITY };
  const change = new Float64Array(rows.length);
  const find = (i: number): boolean => {
    best.score = Number.POSITIVE_INFINITY;
    const tier = assignment.tierOf(i);
    if (tier !== row.tier && row.tier !== ALL_TIERS) return false;
    assignment.forAlternatives(i, (choice) => {
      assignment.changeOfUse(i, choice, change);
      if (change[r]! >= 0 || overfillsAnother(assignment, r, change, patient)) return;
      if (
        options.downward === true &&
        choice !== KEEP_NOTHING &&
        Math.floor(choice / assignment.problem.forms.storedBytes.length) < tier
      )
        return;
      const score = scoreOf(-assignment.gain(i, choice), change, r, use[r]! - row.limit, options);
      if (score < best.score || (score === best.score && choice < best.choice)) {
        best.score = score;
        best.choice = choice;
      }
    });
    return best.score < Number.POSITIVE_INFINITY;
  };
  const consider = (i: number) => {
    if (find(i)) heap.push(best.score, i);
  };
  if (options.candidates === undefined) for (let i = 0; i < assignment.choices.length; i++) consider(i);
  else for (const i of options.candidates) consider(i);
  while (use[r]! > limit) {
    const i = popCurrent(heap, find, best);
    if (i === undefined) break;
    assignment.set(i, best.choice);
    consider(i);
    const parent = assignment.parentOf(i);
    if (parent >= 0 && best.choice === KEEP_NOTHING) consider(parent);
  }
}

/**
 * Whether a change puts more into another row than that has room for. A patient pass may overfill the tiers
 * below: their turn comes next.
 */
function overfillsAnother(
  assignment: Assignment,
  r: number,
  change: Float64Array,
  patient: boolean,
): boolean {
  const { rows, use } = assignment;
  for (let other = 0; other < rows.length; other++) {
    if (other === r || change[other]! <= 0) continue;
    if (patient && rows[other]!.tier > rows[r]!.tier) continue;
    if (use[other]! + change[other]! > rows[other]!.limit) return true;
  }
  return false;
}

/** @param over by how much the row is overfilled: relief beyond that is worth its price only. */
function scoreOf(
  drop: number,
  change: Float64Array,
  r: number,
  over: number,
  { score, prices }: RelieveOptions,
): number {
  if (score === 'drop') return drop;
  if (score === 'drop-per-byte') return drop / -change[r]!;
  const needed = Math.min(-change[r]!, over);
  let loss = drop;
  for (let other = 0; other < change.length; other++) loss += prices![other]! * change[other]!;
  return (loss + prices![r]! * (-change[r]! - needed)) / needed;
}

/**
 * Fills the room that is left: applies the changes that gain utility and fit, the one whose gain most exceeds
 * the price of what it uses first, until none is left.
 */
export function fillRoom(assignment: Assignment, prices: Float64Array, candidates?: Int32Array): void {
  const { rows, use } = assignment;
  const change = new Float64Array(rows.length);
  const best = { choice: KEEP_NOTHING, score: Number.POSITIVE_INFINITY };
  const find = (i: number): boolean => {
    best.score = Number.POSITIVE_INFINITY;
    assignment.forAlternatives(i, (choice) => {
      assignment.changeOfUse(i, choice, change);
      let score = 0;
      for (let r = 0; r < rows.length; r++) {
        if (change[r]! > 0 && use[r]! + change[r]! > rows[r]!.limit) return;
        score += prices[r]! * change[r]!;
      }
      const gain = assignment.gain(i, choice);
      if (gain <= 0) return;
      score -= gain;
      if (score < best.score) {
        best.score = score;
        best.choice = choice;
      }
    });
    return best.score < Number.POSITIVE_INFINITY;
  };
  const heap = new MinHeap();
  const consider = (i: number) => {
    if (find(i)) heap.push(best.score, i);
  };
  const all = candidates ?? Int32Array.from({ length: assignment.choices.length }, (_, i) => i);
  // Room made by one pass (an upgrade that frees another tier) lets earlier rejects in: go round until quiet.
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    let changed = false;
    for (const i of all) consider(i);
    for (let i = popCurrent(heap, find, best); i !== undefined; i = popCurrent(heap, find, best)) {
      assignment.set(i, best.choice);
      changed = true;
      consider(i);
      assignment.forChildren(i, consider);
    }
    if (!changed) return;
  }
}

/**
 * Takes the context with the best score off the heap. Scores age as the plan changes: one that has got worse goes
 * back in with its present score.
 * @param find leaves the context's present best change in `best`; false where it has none any more.
 */
function popCurrent(
  heap: MinHeap,
  find: (i: number) => boolean,
  best: { readonly score: number },
): number | undefined {
  while (heap.size > 0) {
    const promised = heap.least;
    const i = heap.pop();
    if (!find(i)) continue;
    if (best.score <= promised) return i;
    heap.push(best.score, i);
  }
  return undefined;
}
