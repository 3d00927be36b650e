/**
 * What profiling costs, beside what it could cost.
 *
 *   npm run bench -- methods [--profile FILE] [--python PYTHON --model FOLDER --contexts FILE]
 *
 * 1. A budget of a fifth: the run of src/methods/profile-run.ts on a clock of its own over a measured full grid, the
 *    plan made from it, and its utility on the full grid beside that of the plan made from the full grid. What
 *    the whole grid measured anew with other queries would reach says what of it is chance.
 * 2. With --python and --model: our worker beside kvpress's own pipeline (kvpress_beside.py).
 */

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { ANY_CONTEXT, readMethods } from '../../src/formats/methods.js';
import { tableText } from '../../src/report/table-text.js';
import { tryBudget, tryOtherQueries } from './budget/try.js';

const { values: flags } = parseArgs({
  args: process.argv.slice(2),
  options: {
    profile: {
      type: 'string',
      default: fileURLToPath(new URL('../../profiles/methods/smollm2-135m/samples.ndjson', import.meta.url)),
    },
    python: { type: 'string' },
    model: { type: 'string' },
    contexts: {
      type: 'string',
      default: fileURLToPath(new URL('../../profiles/contexts/samples.ndjson', import.meta.url)),
    },
    number: { type: 'string', default: '1' },
    tokens: { type: 'string', default: '32' },
    characters: { type: 'string' },
    presses: { type: 'string' },
    ratios: { type: 'string' },
    threads: { type: 'string' },
  },
});

const SEEDS = [1, 2, 3, 4, 5];

await benchBudget();
if (flags.python !== undefined && flags.model !== undefined) await besideKvpress(flags.python, flags.model);

async function benchBudget(): Promise<void> {
  const { rows } = await readMethods(flags.profile);
  for (const metric of ['answer-similarity', 'token-agreement'] as const) {
    // A grid of agreements has no similarities; one of similarities has both.
    const full = rows.flatMap((row) => {
      if (row.context === ANY_CONTEXT || (row.metric ?? metric) === 'calibrated-similarity') return [];
      if ((row.metric ?? metric) === metric) return [{ ...row, metric }];
      return metric === 'token-agreement' ? [{ ...row, quality: row.tokenAgreement!, metric }] : [];
    });
    if (full.length === 0) continue;
    const table: string[][] = [];
    for (const share of [0.1, 0.2, 0.4]) {
      const results = await Promise.all(SEEDS.map((seed) => tryBudget(full, metric, share, seed)));
      table.push(...summary(`${100 * share} %`, results));
    }
    table.push(
      ...summary(
        'all, other queries',
        SEEDS.map((seed) => tryOtherQueries(full, seed)),
      ),
    );
    process.stdout.write(
      `\nPlans from a part of the grid, judged on the whole (${metric}; ${SEEDS.length} orders of the contexts)\n${tableText(
        ['cost', 'setting', 'configurations', 'utility kept', 'at worst', 'gain kept'],
        table,
      )}\n`,
    );
  }
}

/** A row per setting: means and the worst over the seeds. */
function summary(cost: string, results: readonly Awaited<ReturnType<typeof tryBudget>>[]): string[][] {
  return results[0]!.map(({ name }, setting) => {
    const own = results.map((each) => each[setting]!);
    const mean = (of: (each: (typeof own)[0]) => number) =>
      own.reduce((sum, each) => sum + of(each), 0) / own.length;
    return [
      cost,
      name,
      `${(100 * mean((each) => each.measured)).toFixed(0)} %`,
      mean((each) => each.utilityRatio).toFixed(4),
      Math.min(...own.map((each) => each.utilityRatio)).toFixed(4),
      mean((each) => each.gainRatio).toFixed(3),
    ];
  });
}

async function besideKvpress(python: string, model: string): Promise<void> {
  const script = fileURLToPath(new URL('kvpress_beside.py', import.meta.url));
  const { contexts, number, tokens, characters, presses, ratios, threads } = flags;
  const passed = Object.entries({ number, tokens, characters, presses, ratios, threads });
  const options = passed.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
  const args = [script, model, contexts, ...options];
  const { stdout } = await execa(python, args, {
    stderr: 'inherit',
    env: { OMP_WAIT_POLICY: 'PASSIVE', HF_HUB_DISABLE_PROGRESS_BARS: '1' },
  });
  const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number>;
  const configurations = result.configurations! * result.contexts!;
  const rate = (seconds: number) => (configurations * result.queries!) / seconds;
  process.stdout.write(
    `\n${result.contexts} contexts of ${Math.round(result.contextTokens!)} tokens × ${result.configurations} configurations × ${result.queries} queries of ${result.answerTokens} tokens, ${result.threads} threads, ${python}\n${tableText(
      ['', 'seconds', '(configurations × queries) / s'],
      [
        [
          'evicpress, prefill and reference answers included',
          result.secondsOurs!.toFixed(1),
          rate(result.secondsOurs!).toFixed(2),
        ],
        ["kvpress's pipeline", result.secondsKvpress!.toFixed(1), rate(result.secondsKvpress!).toFixed(2)],
        ['ratio', '', result.ratio!.toFixed(2)],
        ['ratio of processor seconds', '', result.cpuRatio!.toFixed(2)],
      ],
    )}\nidentical answers: ${result.identicalAnswers} of ${result.answers}\n`,
  );
}
