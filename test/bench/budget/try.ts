import type { MethodRow } from '../../../src/formats/methods.js';
import { buildProfile } from '../../../src/methods/profile.js';
import { runProfile } from '../../../src/methods/profile-run.js';
import type { ProfiledContext } from '../../../src/methods/runner.js';
import { seededRandom, shuffled } from '../../../src/random.js';
import { gridRunner, PREFILL_COST } from './grid-runner.js';
import { judge, settingsOf } from './judge.js';

/** Plans from a share of the grid's cost and from all of it, in several settings. */
export async function tryBudget(
  full: readonly MethodRow[],
  metric: 'answer-similarity' | 'token-agreement',
  share: number,
  seed: number,
) {
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
    journal: { entries: [], written: [], append: async () => undefined, close: async () => undefined },
    onProgress: () => undefined,
    onWarning: () => undefined,
    signal: new AbortController().signal,
    budgetSeconds: share * cost,
    now: () => clock,
  });
  const part = buildProfile({ runner, contexts, configurations, metrics: [metric] }, profiled).rows;
  return settingsOf(full).map(({ name, ...request }) => {
    const utility = (methods: readonly MethodRow[]) => judge(full, request, methods);
    const [best, found, none] = [utility(full), utility(part), utility([])];
    return {
      name,
      measured: profiled.entries.length / full.length,
      utilityRatio: found / best,
      gainRatio: (found - none) / (best - none),
    };
  });
}

/**
 * The plan from the whole grid measured anew, as far as other queries let its qualities fall: what is above this
 * comes from planning on the very queries that the plan is judged on.
 */
export function tryOtherQueries(full: readonly MethodRow[], seed: number) {
  const random = seededRandom(seed);
  // A sum of twelve uniform numbers, less six, is nearly normal with variance 1.
  const normal = () => Array.from({ length: 12 }, random).reduce((sum, value) => sum + value, -6);
  const again = full.map((row) => ({
    ...row,
    quality: Math.min(1, Math.max(0, row.quality + normal() * (row.qualityStdError ?? 0))),
  }));
  return settingsOf(full).map(({ name, ...request }) => {
    const utility = (methods: readonly MethodRow[]) => judge(full, request, methods);
    const [best, found, none] = [utility(full), utility(again), utility([])];
    return {
      name,
      measured: 1,
      utilityRatio: found / best,
      gainRatio: (found - none) / (best - none),
    };
  });
}
