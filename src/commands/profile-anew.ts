import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EvicpressError, errors } from '../errors.js';
import { readConfig } from '../formats/config.js';
import { METRICS, type MethodRow, type Metric } from '../formats/methods.js';
import { listConfigurations } from '../methods/configurations.js';
import { openJournal } from '../methods/journal.js';
import { buildProfile } from '../methods/profile.js';
import { runProfile } from '../methods/profile-run.js';
import { completeQueries } from '../methods/queries.js';
import type { MethodPoint, TurnTools } from '../workflows/refresh/options.js';
import { openRunner } from './profile-methods.js';
import { readSettings } from './profile-methods-settings.js';

/**
 * Measures a few methods again on the contexts of evicpress.yaml, by the runner named there.
 * @param first contexts to begin with. @param profile the rows that are to be replaced.
 * @throws EvicpressError where there are no contexts with texts, or the runner has another model than the profile.
 */
export async function profileAnew(
  points: readonly MethodPoint[],
  first: readonly string[],
  profile: readonly MethodRow[],
  budgetSeconds: number,
  tell: TurnTools['tell'],
): Promise<readonly MethodRow[]> {
  const startedAt = performance.now();
  const { contexts: file, profile: own } = await readConfig('.');
  if (file === undefined)
    throw errors.missingInput(
      'contexts',
      'Name a file with texts and queries, as contexts in evicpress.yaml.',
    );
  const { model } = (own ?? {}) as { model?: string };
  const settings = await readSettings({
    contexts: [file],
    methods: points.map(({ method }) => method).join(','),
    ratios: points.map(({ compressionRatio }) => compressionRatio).join(','),
    ...(model === undefined ? {} : { model }),
  });
  const runner = await openRunner(settings, { progress: () => undefined });
  const folder = await mkdtemp(join(tmpdir(), 'evicpress-profile-'));
  const journal = await openJournal(join(folder, 'journal.ndjson'), false);
  try {
    const profiled = profile.find(({ model }) => model !== undefined)?.model ?? runner.model;
    if (profiled !== runner.model)
      throw new EvicpressError(
        `the profile is of ${profiled}, the ${runner.name} runner has ${runner.model}.`,
      );
    const wanted = new Set(points.map((point) => JSON.stringify([point.method, point.compressionRatio])));
    const progress = () => undefined;
    const warn = (text: string) => tell('warn', text);
    const { signal } = new AbortController();
    const asked = await completeQueries(settings, runner, journal, { progress, warn }, signal);
    const contexts = [...asked].sort(
      (a, b) => Number(first.includes(b.context)) - Number(first.includes(a.context)),
    );
    const metric = (profile.find((row) => row.metric !== undefined)?.metric ?? METRICS[0]) as Metric;
    const configurations = listConfigurations(runner, settings.methods, settings.ratios).filter((each) =>
      wanted.has(JSON.stringify([each.method, each.compressionRatio])),
    );
    const { entries } = await runProfile({
      runner,
      journal,
      contexts,
      configurations,
      maxAnswerTokens: settings.answerTokens,
      answers: metric === 'token-agreement' ? 'none' : 'all',
      budgetSeconds: budgetSeconds - (performance.now() - startedAt) / 1000,
      onProgress: progress,
      onWarning: warn,
      signal,
    });
    // What was not reached keeps the rows it has: nothing is estimated in their place.
    return buildProfile({ runner, contexts, configurations, metrics: [metric] }, { entries }).rows;
  } finally {
    await journal.close();
    await runner.close();
    await rm(folder, { recursive: true, force: true });
  }
}
