import { utilityOf } from './choice-costs.js';
import type { ScanList } from './envelopes.js';
import { KEEP_NOTHING, type Problem } from './problem.js';
import { addUse, type Row, totalUse } from './rows.js';

/**
 * A choice for every context, with what all use together, kept valid under single changes: prefix-closed, and
 * one lossy form per path. Capacities may be exceeded on the way.
 */
export class Assignment {
  readonly use: Float64Array;
  private readonly childOffsets: Int32Array;
  private readonly children: Int32Array;
  private weighed = -1;
  private weighedChoice = KEEP_NOTHING;
  private weighedUtility = 0;
  private measured = -1;
  private measuredChoice = KEEP_NOTHING;
  /** What giving up the measured choice changes, row by row. */
  private readonly freed: Float64Array;

  constructor(
    readonly problem: Problem,
    readonly rows: readonly Row[],
    readonly choices: Int32Array,
    /** What the choices use, where that is known. */
    use = totalUse(problem, rows, choices),
    /** The only forms that contexts may change to, by curve; all where absent. */
    private readonly worthwhile?: Pick<ScanList, 'offsets' | 'form'>,
  ) {
    this.use = use;
    this.freed = new Float64Array(rows.length);
    ({ offsets: this.childOffsets, children: this.children } = childLists(problem));
  }

  /** Sets a choice and keeps the books. */
  set(i: number, choice: number): void {
    addUse(this.problem, this.rows, i, this.choices[i]!, this.use, -1);
    this.choices[i] = choice;
    addUse(this.problem, this.rows, i, choice, this.use);
  }

  /** Change of utility if context i chose otherwise. */
  gain(i: number, choice: number): number {
    const now = this.choices[i]!;
    // Alternatives are weighed one after another: the present choice's utility is the same for all.
    if (i !== this.weighed || now !== this.weighedChoice) {
      this.weighed = i;
      this.weighedChoice = now;
      this.weighedUtility = utilityOf(this.problem, i, now);
    }
    return utilityOf(this.problem, i, choice) - this.weighedUtility;
  }

  /** Fills `change` with the change of use, row by row. */
  changeOfUse(i: number, choice: number, change: Float64Array): void {
    const now = this.choices[i]!;
    if (i !== this.measured || now !== this.measuredChoice) {
      this.measured = i;
      this.measuredChoice = now;
      this.freed.fill(0);
      addUse(this.problem, this.rows, i, now, this.freed, -1);
    }
    change.set(this.freed);
    addUse(this.problem, this.rows, i, choice, change);
  }

  tierOf(i: number): number {
    const choice = this.choices[i]!;
    return choice === KEEP_NOTHING ? -1 : Math.floor(choice / this.problem.forms.storedBytes.length);
  }

  parentOf(i: number): number {
    return this.problem.demand.parents[i]!;
  }

  /** Calls back with the children of i. */
  forChildren(i: number, visit: (child: number) => void): void {
    if (!this.problem.hasParents) return;
    for (let k = this.childOffsets[i]!; k < this.childOffsets[i + 1]!; k++) visit(this.children[k]!);
  }

  /** Calls back with every other choice open to context i, given its ancestors' and descendants' present ones. */
  forAlternatives(i: number, visit: (choice: number) => void): void {
    const { problem, choices, worthwhile } = this;
    const { tiers, forms, allowed, curveOf } = problem;
    const { offsets } = worthwhile ?? forms;
    const count = forms.storedBytes.length;
    const mask = allowed[i]!;
    const now = choices[i]!;
    const parent = this.parentOf(i);
    if (now !== KEEP_NOTHING && mask & (1 << tiers.length) && !this.hasKeptChild(i)) visit(KEEP_NOTHING);
    if (parent >= 0 && choices[parent] === KEEP_NOTHING) return;
    const lossy = problem.hasParents ? this.lossyAround(i) : -1;
    for (let entry = offsets[curveOf[i]!]!; entry < offsets[curveOf[i]! + 1]!; entry++) {
      const form = worthwhile === undefined ? entry : worthwhile.form[entry]!;
      const s = forms.lossyOf[form]!;
      if (s >= 0 && (lossy === MIXED || (lossy >= 0 && lossy !== s))) continue;
      for (let t = 0; t < tiers.length; t++) {
        const choice = t * count + form;
        if (mask & (1 << t) && choice !== now) visit(choice);
      }
    }
  }

  private hasKeptChild(i: number): boolean {
    let kept = false;
    this.forChildren(i, (child) => {
      if (this.choices[child] !== KEEP_NOTHING) kept = true;
    });
    return kept;
  }

  /** The lossy form on the paths through i, i itself aside: −1 for none, MIXED for several. */
  private lossyAround(i: number): number {
    const { choices, problem } = this;
    const { lossyOf } = problem.forms;
    const count = lossyOf.length;
    for (let up = this.parentOf(i); up >= 0; up = this.parentOf(up)) {
      const s = choices[up] === KEEP_NOTHING ? -1 : lossyOf[choices[up]! % count]!;
      if (s >= 0) return s;
    }
    let found = -1;
    const stack = [i];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      this.forChildren(at, (child) => {
        if (choices[child] === KEEP_NOTHING) return;
        const s = lossyOf[choices[child]! % count]!;
        if (s < 0) stack.push(child);
        else if (found >= 0 && found !== s) found = MIXED;
        else if (found !== MIXED) found = s;
      });
    }
    return found;
  }
}

/** Paths below a context use different lossy forms: it can only stay whole. */
const MIXED = -2;

/** Children of every context, in compressed rows. */
function childLists(problem: Problem): { offsets: Int32Array; children: Int32Array } {
  const { demand, hasParents } = problem;
  if (!hasParents) return { offsets: new Int32Array(0), children: new Int32Array(0) };
  const n = demand.contexts;
  const offsets = new Int32Array(n + 1);
  for (const parent of demand.parents) if (parent >= 0) offsets[parent + 1]!++;
  for (let i = 0; i < n; i++) offsets[i + 1]! += offsets[i]!;
  const next = offsets.slice(0, n);
  const children = new Int32Array(offsets[n]!);
  for (let i = 0; i < n; i++) {
    const parent = demand.parents[i]!;
    if (parent >= 0) children[next[parent]!++] = i;
  }
  return { offsets, children };
}
