import type { ClassRule } from '../formats/plan.js';
import { placementOf } from './make-plan.js';
import { KEEP_NOTHING, type Problem } from './problem.js';

/** Rules for so many classes and tenants; beyond it the rarest go without and take the general rule. */
const MOST_CLASSES = 1000;

interface Tally {
  readonly group: Pick<ClassRule, 'class' | 'tenant'>;
  contexts: number;
  accesses: number;
  /** Σ accesses·tokens and Σ accesses·requestShare: their ratio is the reusable tokens of a request. */
  tokens: number;
  requests: number;
  /** By form of storage: the accesses of what is stored so, and one context that is. */
  readonly byForm: Map<number, { accesses: number; readonly example: number }>;
}

/**
 * The rules for contexts that no row names, learned from the plan's own choices: one for all, one per class and one
 * per tenant. A group is stored as most of its reuse is, and is expected to be reused as often as its contexts
 * were on average.
 */
export function learnClassRules(problem: Problem, choices: Int32Array): ClassRule[] {
  const { classOf, classes, tenantOf, tenants } = problem.demand;
  const all = emptyTally({});
  const ofClass = classes.map((name) => emptyTally({ class: name }));
  const ofTenant = tenants.map((name) => emptyTally({ tenant: name }));
  for (let i = 0; i < choices.length; i++) {
    note(all, problem, choices, i);
    if (classOf[i]! >= 0) note(ofClass[classOf[i]!]!, problem, choices, i);
    if (tenantOf[i]! >= 0) note(ofTenant[tenantOf[i]!]!, problem, choices, i);
  }
  return [all, ...ofClass, ...ofTenant]
    .filter(({ byForm }) => byForm.size > 0)
    .sort((a, b) => b.accesses - a.accesses)
    .slice(0, MOST_CLASSES)
    .map((tally) => ruleOf(tally, problem, choices));
}

function emptyTally(group: Tally['group']): Tally {
  return { group, contexts: 0, accesses: 0, tokens: 0, requests: 0, byForm: new Map() };
}

function note(tally: Tally, { demand, forms }: Problem, choices: Int32Array, i: number): void {
  const accesses = demand.accesses[i]!;
  tally.contexts++;
  tally.accesses += accesses;
  tally.tokens += accesses * demand.tokens[i]!;
  tally.requests += accesses * demand.requestShare[i]!;
  if (choices[i] === KEEP_NOTHING) return;
  const form = choices[i]! % forms.storedBytes.length;
  const known = tally.byForm.get(form);
  if (known === undefined) tally.byForm.set(form, { accesses, example: i });
  else known.accesses += accesses;
}

function ruleOf(tally: Tally, problem: Problem, choices: Int32Array): ClassRule {
  const { group, contexts, accesses, tokens, requests, byForm } = tally;
  const [usual] = [...byForm.values()].sort((a, b) => b.accesses - a.accesses);
  const example = usual!.example;
  const { method, compressionRatio, storedBytes, quality } = placementOf(problem, example, choices[example]!);
  return {
    ...group,
    accesses: accesses / contexts,
    ...(requests > 0 ? { requestTokens: tokens / requests } : {}),
    method,
    compressionRatio,
    bytesFraction: storedBytes / problem.demand.fullBytes[example]!,
    quality,
  };
}
