import type { MethodRow } from '../../../src/formats/methods.js';
import { buildProfile } from '../../../src/methods/profile.js';
import { runProfile } from '../../../src/methods/profile-run.js';
import type { ProfiledContext } from '../../../src/methods/runner.js';
import { seededRandom, shuffled } from '../../../src/random.js';
import { gridRunner, PREFILL_COST } from './grid-runner.js';
import { judge, settingsOf } from './judge.js';

/** A measured full grid to try budgets on. */
export interface Grid {
  readonly full: readonly MethodRow[];
  /** The same configurations on queries that no plan has seen, where some were held out. */
  readonly heldOut?: readonly MethodRow[];
  readonly metric: 'answer-similarity' | 'token-agreement';
  /** Curves of other contexts, which a run under a budget starts from. */
  readonly reference: readonly MethodRow[];
}

/** Shares of what the plan from the full grid reaches. */
export interface Kept {
  readonly name: string;
  readonly measured: number;
  readonly utilityRatio: number;
  readonly gainRatio: number;
  /** Both plans judged on the queries held out. */
  readonly heldOutRatio?: number;
}

/** Plans from a share of the grid's cost and from all of it, in several settings. */
export async function tryBudget(grid: Grid, share: number, seed: number): Promise<Kept[]> {
  const { full, metric, reference } = grid;
  const names = shuffled([...new Set(full.map((row) => row.context))], seed);
  const configurations = [
    ...new Map(
      full.map(({ method, compressionRatio }) => [
        `${method}@${compressionRatio}`,
        { method, compressionRatio },
      ]),
    ).values(),
  ];
  const contexts: ProfiledContext[] = names.map((context) => {
    const name = full.find((row) => row.context === context)?.class;
    return {
      context,
      ...(name === undefined ? {} : { class: name }),
      text: context,
      queries: ['1', '2', '3', '4', '5'],
    };
  });
  const cost = contexts.length * (PREFILL_COST + configurations.length);
  let clock = 0;
  const spend = (seconds: number) => {
    clock += seconds;
  };
  const runner = gridRunner(full, spend, seed);
  const profiled = await runProfile({
    runner,
    contexts,
    configurations,
    maxAnswerTokens: 1,
    answers: metric === 'answer-similarity' ? 'all' : 'none',
    journal: {
      entries: [],
      written: [],
      lostLines: 0,
      append: async () => undefined,
      close: async () => undefined,
    },
    onProgress: () => undefined,
    onWarning: () => undefined,
    signal: new AbortController().signal,
    budgetSeconds: share * cost,
    reference,
    now: () => clock,
  });
  const part = buildProfile({ runner, contexts, configurations, metrics: [metric] }, profiled).rows;
  return kept(grid, part, profiled.entries.length / full.length);
}

/** How much of the plan from the full grid one from other rows keeps. */
function kept({ full, heldOut }: Grid, part: readonly MethodRow[], measured: number): Promise<Kept[]> {
  const found = settingsOf(full).map(async ({ name, ...request }) => {
    const utility = (methods: readonly MethodRow[]) => judge(full, request, methods);
    const [best, found, none] = [await utility(full), await utility(part), await utility([])];
    const onHeldOut = (methods: readonly MethodRow[]) => judge(heldOut!, request, methods);
    return {
      name,
      measured,
      utilityRatio: found / best,
      gainRatio: (found - none) / (best - none),
      ...(heldOut === undefined ? {} : { heldOutRatio: (await onHeldOut(part)) / (await onHeldOut(full)) }),
    };
  });
  return Promise.all(found);
}

/**
 * The plan from the whole grid measured anew, as far as other queries let its qualities fall: what is above this
 * comes from planning on the very queries that the plan is judged on.
 */
export async function tryOtherQueries(grid: Grid, seed: number): Promise<Kept[]> {
  const random = seededRandom(seed);
  // A sum of twelve uniform numbers, less six, is nearly normal with variance 1.
  const normal = () => Array.from({ length: 12 }, random).reduce((sum, value) => sum + value, -6);
  const again = grid.full.map((row) => ({
    ...row,
    quality: Math.min(1, Math.max(0, row.quality + normal() * (row.qualityStdError ?? 0))),
  }));
  return kept(grid, again, 1);
}
