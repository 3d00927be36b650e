import { existsSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { groupsOf } from '../../../src/engines/live.js';
import { readMethods } from '../../../src/formats/methods.js';
import type { Model } from '../../../src/formats/model.js';
import { readTiers } from '../../../src/formats/tiers.js';
import { type Budgets, CHUNK_TOKENS } from './arms.js';
import { ANSWER_TOKENS, type Answered, Journal } from './measured.js';
import type { Similarity } from './quality.js';
import { mean, quantile, ratioOfMeans } from './statistics.js';

/** More failed loads and allocations than this share of the lookups, and a run does not count. */
const FAILED_SHARE = 0.02;

interface Facts {
  readonly arm: string;
  readonly lookups: number;
  readonly failures: number;
  readonly heldBytes: number;
}

/** Prints what every arm reached, and the plan's arm against each other one. */
export async function printReport(
  folder: string,
  {
    profiles,
    seed,
    skip,
    died,
    budgets,
    totalBytes,
    similarity,
  }: {
    profiles: string;
    seed: number;
    skip: number;
    /** Arms whose engine has died: their rows do not count. */
    died: readonly string[];
    budgets: Budgets;
    totalBytes: number;
    similarity: Similarity | undefined;
  },
): Promise<void> {
  const all = new Journal<Answered>(join(folder, 'measured.ndjson')).rows.filter(
    (row) => !died.includes(row.arm),
  );
  const rows = all.slice(skip * new Set(all.map((row) => row.arm)).size);
  for (const arm of died) console.log(`${arm}: rejected, its engine has died.`);
  const facts = JSON.parse(readFileSync(join(folder, 'measured.facts.json'), 'utf8')) as Facts[];
  const arms = [...new Set(rows.map((row) => row.arm))];
  const times = new Map(
    arms.map((arm) => [arm, rows.filter((row) => row.arm === arm).map((row) => row.ttftSeconds)]),
  );
  const table: Record<string, unknown> = {};
  for (const arm of arms) {
    const own = rows.filter((row) => row.arm === arm);
    const seconds = times.get(arm)!;
    const fact = facts.find((entry) => entry.arm === arm)!;
    const failed = fact.lookups === 0 ? 0 : fact.failures / fact.lookups;
    table[arm] = {
      requests: own.length,
      'mean ms': ms(mean(seconds)),
      p50: ms(quantile(seconds, 0.5)),
      p99: ms(quantile(seconds, 0.99)),
      ...Object.fromEntries(hitShares(own)),
      'MB on disk': Math.round(fact.heldBytes / 1e6),
      failed: failed.toFixed(3),
      ...(failed > FAILED_SHARE ? { verdict: 'rejected' } : {}),
    };
  }
  console.log(
    `Contexts of ${megabytes(totalBytes)} in all; memory ${megabytes(budgets.memoryBytes, totalBytes)}, disk ${megabytes(budgets.diskBytes, totalBytes)}, ${
      budgets.diskRate > 0 ? `disk emulated at ${budgets.diskRate / 1e6} MB/s` : 'disk not throttled'
    }; seed ${seed}; load now ${loadavg()[0]!.toFixed(1)}.`,
  );
  console.table(table);
  for (const plan of arms.filter((arm) => arm.startsWith('plan')))
    for (const arm of arms.filter((other) => !other.startsWith('plan'))) {
      const { estimate, low, high } = ratioOfMeans(times.get(arm)!, times.get(plan)!, seed);
      console.log(
        `${arm} / ${plan}: mean TTFT ${estimate.toFixed(2)}× (90 % interval ${low.toFixed(2)} to ${high.toFixed(2)})`,
      );
    }
  if (existsSync(join(profiles, 'tiers.json')))
    for (const plan of arms.filter((arm) => arm.startsWith('plan')))
      await printPredictions(
        rows.filter((row) => row.arm === plan),
        profiles,
      );
  if (similarity !== undefined) await printSimilarity(rows, profiles, similarity);
  if (existsSync(join(profiles, 'similarity.json'))) {
    console.log('Answers from each place beside cold ones, same questions:');
    console.table(JSON.parse(readFileSync(join(profiles, 'similarity.json'), 'utf8')));
  }
}

/** TTFT as the profiles of another run foretell it from what served each request, beside the measured one. */
async function printPredictions(rows: readonly Answered[], profiles: string): Promise<void> {
  const { tiers } = await readTiers(join(profiles, 'tiers.json'));
  const model = JSON.parse(readFileSync(join(profiles, 'model.json'), 'utf8')) as Model;
  const { rows: methods } = await readMethods(join(profiles, 'methods.ndjson'));
  const groups = groupsOf(
    rows.map((row) => ({ ...row, hits: new Map(Object.entries(row.hits)) })),
    {
      tiers,
      model,
      chunkTokens: CHUNK_TOKENS,
      methodCost: (name) => {
        const row = methods.find(({ method }) => method === name)!;
        return {
          bytesFraction: row.storedBytes / row.fullBytes,
          secondsPerFullByte: (row.decompressSeconds ?? 0) / row.fullBytes,
        };
      },
    },
  );
  console.log('Median TTFT by the place that served most of a request, foretold and measured:');
  console.table(
    Object.fromEntries(
      groups.map(({ place, requests, predictedMedianSeconds, measuredMedianSeconds, relativeError }) => [
        place,
        {
          requests,
          'foretold ms': ms(predictedMedianSeconds!),
          'measured ms': ms(measuredMedianSeconds),
          'off by': `${Math.round(100 * relativeError!)} %`,
        },
      ]),
    ),
  );
}

function megabytes(bytes: number, of?: number): string {
  const share = of === undefined ? '' : ` (${Math.round((100 * bytes) / of)} %)`;
  return `${Math.round(bytes / 1e6)} MB${share}`;
}

const ms = (seconds: number) => Math.round(1000 * seconds);

/** Share of the tokens of contexts that each place served. */
function hitShares(rows: readonly Answered[]): [string, string][] {
  const sums = new Map<string, number>();
  const planned = rows.some(({ arm }) => arm.startsWith('plan'));
  let total = 0;
  for (const { hits, inputTokens } of rows) {
    total += CHUNK_TOKENS * Math.floor(inputTokens / CHUNK_TOKENS);
    for (const [place, n] of Object.entries(hits))
      sums.set(place, (sums.get(place) ?? 0) + n * (planned ? CHUNK_TOKENS : 1));
  }
  return [...sums].map(([place, n]) => [place, (n / total).toFixed(2)]);
}

/** Similarity of the measured answers to the cold ones of the same question, where profiling asked it. */
async function printSimilarity(
  rows: readonly Answered[],
  profiles: string,
  similarity: Similarity,
): Promise<void> {
  const cold = new Map(
    new Journal<Answered>(join(profiles, 'quality.ndjson')).rows
      .filter((row) => row.arm === 'cold')
      .map((row) => [`${row.context} ${row.query}`, row.text]),
  );
  const found = new Map<string, number[]>();
  for (const { arm, context, query, text, answerTokens = ANSWER_TOKENS } of rows) {
    // A shorter answer cannot be compared with a whole one.
    if (answerTokens < ANSWER_TOKENS) continue;
    const reference = cold.get(`${context} ${query}`);
    if (reference !== undefined)
      found.set(arm, [...(found.get(arm) ?? []), await similarity(reference, text)]);
  }
  console.log('Answers of this run beside cold ones, whole ones whose question was also asked cold:');
  console.table(
    Object.fromEntries(
      [...found].map(([arm, all]) => [arm, { pairs: all.length, similarity: mean(all).toFixed(3) }]),
    ),
  );
}
