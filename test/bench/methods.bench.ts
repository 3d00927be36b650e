/**
 * What profiling costs, beside what it could cost.
 *
 *   npm run bench -- methods [--profile FILE] [--python PYTHON --model FOLDER --contexts FILE]
 *
 * 1. A budget of a fifth: the run of src/methods/profile-run.ts on a clock of its own over a measured full grid, the
 *    plan made from it, and its utility on the full grid beside that of the plan made from the full grid.
 * 2. With --python and --model: our worker beside kvpress's own pipeline (kvpress_beside.py).
 */

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { ANY_CONTEXT, type MethodRow, readMethods } from '../../src/formats/methods.js';
import { UNCOMPRESSED } from '../../src/formats/plan.js';
import { buildProfile } from '../../src/methods/profile.js';
import { runProfile } from '../../src/methods/profile-run.js';
import type { Configuration, ProfiledContext, Runner } from '../../src/methods/runner.js';
import { fitCurves } from '../../src/plan/curves.js';
import { demandOfContexts } from '../../src/plan/demand-of-contexts.js';
import { planContexts } from '../../src/plan/plan-contexts.js';
import { shuffled } from '../../src/random.js';
import { tableText } from '../../src/report/table-text.js';
import { tier } from '../support/instances.js';

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
  },
});

/** Seconds of prefill and reference answers, in seconds of one configuration: what the embedded runner takes. */
const PREFILL_COST = 2;
const SEEDS = [1, 2, 3, 4, 5];

await benchBudget();
if (flags.python !== undefined && flags.model !== undefined) await besideKvpress(flags.python, flags.model);

async function benchBudget(): Promise<void> {
  const { rows } = await readMethods(flags.profile);
  for (const metric of ['answer-similarity', 'token-agreement'] as const) {
    const full = rows
      .filter(
        (row) =>
          row.context !== ANY_CONTEXT && (row.metric === undefined || row.metric === 'answer-similarity'),
      )
      .map((row) =>
        metric === 'token-agreement' ? { ...row, quality: row.tokenAgreement!, metric } : { ...row, metric },
      );
    const table: string[][] = [];
    for (const share of [0.1, 0.2, 0.4]) {
      const results = await Promise.all(SEEDS.map((seed) => tryBudget(full, metric, share, seed)));
      for (const setting of results[0]!.keys()) {
        const own = results.map((each) => each[setting]!);
        const mean = (of: (each: (typeof own)[0]) => number) =>
          own.reduce((sum, each) => sum + of(each), 0) / own.length;
        table.push([
          `${100 * share} %`,
          own[0]!.name,
          `${(100 * mean((each) => each.measured)).toFixed(0)} %`,
          mean((each) => each.utilityRatio).toFixed(4),
          Math.min(...own.map((each) => each.utilityRatio)).toFixed(4),
          mean((each) => each.gainRatio).toFixed(3),
        ]);
      }
    }
    process.stdout.write(
      `\nPlans from a part of the grid, judged on the whole (${metric}; ${SEEDS.length} orders of the contexts)\n${tableText(
        ['cost', 'setting', 'configurations', 'utility kept', 'at worst', 'gain kept'],
        table,
      )}\n`,
    );
  }
}

/** Plans from a share of the grid's cost and from all of it, in several settings. */
async function tryBudget(
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
  const runner = tableRunner(full, (seconds) => {
    clock += seconds;
  });
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

/** Answers from a table of qualities; each step takes its time on the clock. */
function tableRunner(full: readonly MethodRow[], spend: (seconds: number) => void): Runner {
  const find = (context: string, { method, compressionRatio }: Configuration) =>
    full.find(
      (row) => row.context === context && row.method === method && row.compressionRatio === compressionRatio,
    )!;
  return {
    name: 'embedded',
    model: 'table',
    kvDtype: 'bf16',
    fixedRatio: () => undefined,
    smallestRatio: () => 0,
    async prepare({ context, queries }) {
      spend(PREFILL_COST);
      const { tokens, fullBytes } = full.find((row) => row.context === context)!;
      return {
        tokens: tokens!,
        fullBytes,
        cutTokens: 0,
        prefillSeconds: 0,
        referenceAnswers: queries.map(() => ''),
        async measure(configuration, { queries: asked = queries.map((_, i) => i) } = {}) {
          // Compressing and reading cost the same for any number of queries; half of a configuration is that.
          spend(0.5 + (0.5 * asked.length) / queries.length);
          const { storedBytes, quality, qualityStdError = 0 } = find(context, configuration);
          // Queries whose mean and standard error over all five are those measured.
          const offsets = [1, -1, 1, -1, 0].map((sign) => sign * qualityStdError * Math.sqrt(5));
          const values = asked.map((i) => quality + offsets[i]!);
          return {
            storedBytes,
            compressSeconds: 0,
            decompressSeconds: 0,
            answers: values.map(String),
            tokenAgreement: values,
            klDivergence: [],
          };
        },
      };
    },
    similarity: async (_, candidate) => Number(candidate),
    close: async () => undefined,
  };
}

/** Tiers and prices under which compression matters: a whole context takes .1 s from the fast tier, 1 s from the slow. */
function settingsOf(full: readonly MethodRow[]) {
  const sizes = new Map(full.map((row) => [row.context, row]));
  const total = [...sizes.values()].reduce((sum, row) => sum + row.fullBytes, 0);
  const mean = total / sizes.size;
  const tokens = [...sizes.values()].reduce((sum, row) => sum + row.tokens!, 0) / sizes.size;
  const model = {
    name: 'bench',
    kvBytesPerToken: mean / tokens,
    prefill: { secondsPerToken: 1.2 / tokens, secondsPerTokenSquared: 0 },
  };
  const demand = demandOfContexts(
    {
      header: {},
      rows: [...sizes.values()].map((row) => ({
        context: row.context,
        fullBytes: row.fullBytes,
        tokens: row.tokens!,
        accesses: 1,
        ...(row.class && { class: row.class }),
      })),
    },
    model,
    'bench',
  );
  return [0.1, 0.3].flatMap((fast) =>
    [1, 5].map((alpha) => ({
      name: `fast ${100 * fast} %, alpha ${alpha} s`,
      alpha,
      demand,
      model,
      tiers: [tier('fast', fast * total, mean / 0.1), tier('slow', 0.5 * total, mean / 1)],
    })),
  );
}

/**
 * The utility of the plan made from `methods`, by the qualities and bytes of the full grid. Where the true bytes do
 * not fit a tier, what is worth least per byte is left out of it and computed anew, as an engine would have to.
 */
function judge(
  full: readonly MethodRow[],
  request: Omit<ReturnType<typeof settingsOf>[0], 'name'>,
  methods: readonly MethodRow[],
): number {
  const { demand, tiers, model, alpha } = request;
  const truth = fitCurves(full);
  const kept = new Map(tiers.map(({ name }) => [name, [] as { bytes: number; gain: number }[]]));
  let recomputed = 0;
  for (const row of planContexts({ demand, tiers, model, alpha, methods }).rows()) {
    const { context, tier: place, method, compressionRatio } = row;
    const i = demand.ids.indexOf(context);
    const anew = alpha - model.prefill.secondsPerToken * demand.tokens[i]!;
    recomputed += anew;
    if (place === 'recompute') continue;
    const form = truth
      .formsOf(context, undefined)
      .find((each) => each.method === method && each.compressionRatio === compressionRatio);
    if (form === undefined && method !== UNCOMPRESSED)
      throw new Error(`${context}: the full grid has no ${method}@${compressionRatio}`);
    const { read } = tiers.find((each) => each.name === place)!;
    const { storedBytes, quality } = form ?? { storedBytes: demand.fullBytes[i]!, quality: 1 };
    const utility = alpha * quality - read.latencySeconds - storedBytes / read.bytesPerSecond;
    kept.get(place)!.push({ bytes: storedBytes, gain: utility - anew });
  }
  let gained = 0;
  for (const { name, capacityBytes } of tiers) {
    let room = capacityBytes ?? Number.POSITIVE_INFINITY;
    for (const { bytes, gain } of kept.get(name)!.sort((a, b) => b.gain / b.bytes - a.gain / a.bytes)) {
      if (bytes > room) continue;
      room -= bytes;
      gained += gain;
    }
  }
  return recomputed + gained;
}

async function besideKvpress(python: string, model: string): Promise<void> {
  const script = fileURLToPath(new URL('kvpress_beside.py', import.meta.url));
  const { contexts, number, tokens, characters, presses, ratios } = flags;
  const passed = Object.entries({ number, tokens, characters, presses, ratios });
  const options = passed.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
  const args = [script, model, contexts, ...options];
  const { stdout } = await execa(python, args, {
    stderr: 'inherit',
    env: { OMP_WAIT_POLICY: 'PASSIVE', HF_HUB_DISABLE_PROGRESS_BARS: '1' },
  });
  const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number> & {
    secondsByPress: Record<string, [number, number]>;
  };
  const configurations = result.configurations! * result.contexts!;
  const rate = (seconds: number) => (configurations * result.queries!) / seconds;
  process.stdout.write(
    `\n${result.contexts} contexts of ${Math.round(result.contextTokens!)} tokens × ${result.configurations} configurations × ${result.queries} queries of ${result.answerTokens} tokens, ${python}\n${tableText(
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
