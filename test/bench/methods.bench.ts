/**
 * What profiling costs, beside what it could cost.
 *
 *   npm run bench -- methods [--profile FILE...] [--sizes 7,20] [--shares 0.2] [--python PYTHON --model FOLDER --contexts FILE]
 *
 * 1. A budget of a fifth: the run of src/methods/profile-run.ts on a clock of its own over a measured full grid, the
 *    plan made from it, and its utility on the full grid beside that of the plan made from the full grid; where
 *    queries were held out, both plans on these. Beside it what a fifth reaches that knew mean and spread of
 *    these very contexts beforehand ("in hindsight"), and what the whole grid measured anew with other queries
 *    would: the rest is chance that no budget can know.
 * 2. With --python and --model: our worker beside kvpress's own pipeline (kvpress_beside.py).
 */

import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { type MethodRow, readMethods } from '../../src/formats/methods.js';
import { ANY_CONTEXT } from '../../src/formats/names.js';
import { shuffled } from '../../src/random.js';
import { tableText } from '../../src/report/table-text.js';
import { type Grid, type Kept, tryBudget, tryOtherQueries } from './budget/try.js';

/** The curves that a run under a budget starts from, and a grid of its own. */
const BUNDLED = fileURLToPath(new URL('../../profiles/methods/smollm2-135m/samples.ndjson', import.meta.url));
/** Contexts of other kinds with as many queries held out; its header says how it was measured. */
const WIKI_AND_AGENTS = fileURLToPath(new URL('budget/wiki-and-agents.ndjson.gz', import.meta.url));

const { values: flags } = parseArgs({
  args: process.argv.slice(2),
  options: {
    profile: { type: 'string', multiple: true, default: [BUNDLED, WIKI_AND_AGENTS] },
    sizes: { type: 'string', default: '7,14,20' },
    shares: { type: 'string', default: '0.2,0.4' },
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
const FIFTH = 0.2;

for (const path of flags.profile) await benchBudget(path);
if (flags.python !== undefined && flags.model !== undefined) await besideKvpress(flags.python, flags.model);

async function benchBudget(path: string): Promise<void> {
  const { rows } = await readMethods(path);
  const bundled = await readMethods(BUNDLED);
  const shares = flags.shares.split(',').map(Number);
  for (const metric of ['answer-similarity', 'token-agreement'] as const) {
    const all = steadySeconds(rowsOf(rows, metric));
    const names = [...new Set(all.map((row) => row.context))];
    for (const size of flags.sizes.split(',').map(Number)) {
      if (size > names.length) continue;
      // Other contexts for every seed; what a run starts from is never drawn from those it is judged on.
      const grids = SEEDS.map((seed) =>
        gridOf(all, shuffled(names, seed).slice(0, size), metric, bundled.rows),
      );
      if (grids.some(({ reference }) => reference.length === 0)) continue;
      const table: string[][] = [];
      for (const share of shares) {
        const results = await Promise.all(SEEDS.map((seed, i) => tryBudget(grids[i]!, share, seed)));
        table.push(...summary(`${100 * share} %`, results));
      }
      const known = grids.map((grid) => ({ ...grid, reference: grid.full }));
      const hindsight = await Promise.all(SEEDS.map((seed, i) => tryBudget(known[i]!, FIFTH, seed)));
      table.push(...summary('20 %, in hindsight', hindsight));
      const others = await Promise.all(SEEDS.map((seed, i) => tryOtherQueries(grids[i]!, seed)));
      table.push(...summary('all, other queries', others));
      process.stdout.write(
        `\nPlans from a part of the grid, judged on the whole (${basename(path)}, ${metric}; ${size} of ${names.length} contexts, drawn ${SEEDS.length} times)\n${tableText(
          ['cost', 'setting', 'configurations', 'utility kept', 'at worst', 'gain kept', 'on other queries'],
          table,
        )}\n`,
      );
    }
  }
}

/** The rows of contexts in one metric. A grid of agreements has no similarities; one of similarities has both. */
function rowsOf(rows: readonly MethodRow[], metric: Grid['metric']): MethodRow[] {
  return rows.flatMap((row) => {
    if (row.context === ANY_CONTEXT || (row.metric ?? metric) === 'calibrated-similarity') return [];
    if ((row.metric ?? metric) === metric) return [{ ...row, metric }];
    return metric === 'token-agreement' ? [{ ...row, quality: row.tokenAgreement!, metric }] : [];
  });
}

/**
 * The rows with the decompression seconds per byte that a configuration takes on average: they belong to method and
 * machine, and one reading on a busy machine is off by a factor of three. No budget could know such a chance.
 */
function steadySeconds(rows: readonly MethodRow[]): MethodRow[] {
  const totals = new Map<string, { seconds: number; bytes: number }>();
  const totalOf = ({ method, compressionRatio }: MethodRow) => {
    const key = `${method}@${compressionRatio}`;
    const total = totals.get(key) ?? { seconds: 0, bytes: 0 };
    totals.set(key, total);
    return total;
  };
  for (const row of rows) {
    const total = totalOf(row);
    total.seconds += row.decompressSeconds ?? 0;
    total.bytes += row.fullBytes;
  }
  return rows.map((row) => {
    const { seconds, bytes } = totalOf(row);
    return { ...row, decompressSeconds: (seconds / bytes) * row.fullBytes };
  });
}

function gridOf(
  rows: readonly MethodRow[],
  contexts: readonly string[],
  metric: Grid['metric'],
  bundled: readonly MethodRow[],
): Grid {
  const full = rows.filter((row) => contexts.includes(row.context));
  const isHeldOut = full.every((row) => typeof row.heldOutQuality === 'number');
  return {
    full,
    metric,
    reference: bundled.filter(({ context }) => context !== ANY_CONTEXT && !contexts.includes(context)),
    ...(isHeldOut ? { heldOut: full.map((row) => ({ ...row, quality: row.heldOutQuality as number })) } : {}),
  };
}

/** A row per setting, then one over all of them: means, and the worst over the seeds. */
function summary(cost: string, results: readonly (readonly Kept[])[]): string[][] {
  const row = (name: string, own: readonly Kept[]) => {
    const mean = (of: (each: Kept) => number) => own.reduce((sum, each) => sum + of(each), 0) / own.length;
    return [
      cost,
      name,
      `${(100 * mean((each) => each.measured)).toFixed(0)} %`,
      mean((each) => each.utilityRatio).toFixed(4),
      Math.min(...own.map((each) => each.utilityRatio)).toFixed(4),
      mean((each) => each.gainRatio).toFixed(3),
      own[0]!.heldOutRatio === undefined ? '' : mean((each) => each.heldOutRatio!).toFixed(4),
    ];
  };
  const settings = results[0]!.map(({ name }, setting) =>
    row(
      name,
      results.map((each) => each[setting]!),
    ),
  );
  return [...settings, row('all four', results.flat())];
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
