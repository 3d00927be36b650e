import { join } from 'node:path';
import { calibrate } from '../../../src/engines/calibrate.js';
import { connectEngine } from '../../../src/engines/live-engine.js';
import { servedBetween } from '../../../src/engines/live-metrics.js';
import { jsonText, writeWhole } from '../../../src/formats/files.js';
import { type MethodRow, writeMethods } from '../../../src/formats/methods.js';
import type { Model } from '../../../src/formats/model.js';
import { ANY_CONTEXT } from '../../../src/formats/names.js';
import { writePlan } from '../../../src/formats/plan.js';
import { formatHeader } from '../../../src/formats/schema.js';
import type { Tier } from '../../../src/formats/tiers.js';
import { reviewApply } from '../../../src/workflows/generations.js';
import { handPlan, rowAt } from '../../engines/plans.js';
import { until } from '../../engines/stack.js';
import { type Arm, CHUNK_TOKENS, STORED_FRACTION } from './arms.js';
import { ANSWER_TOKENS, type Answered, askCounted, Journal, served } from './measured.js';
import { type BenchContext, promptOf } from './requests.js';
import { mean } from './statistics.js';

/** How alike two answers are, in [0, 1]. */
export type Similarity = (a: string, b: string) => Promise<number>;

/** Places whose answers and times are measured; each has a salt of its own, so that one server keeps all of them apart. */
const PLACES = [
  { salt: 'cold', tier: 'recompute', method: 'none' },
  { salt: 'dram', tier: 'dram', method: 'none' },
  { salt: 'dram int8', tier: 'dram', method: 'int8' },
  { salt: 'raw', tier: 'ssd', method: 'none' },
  { salt: 'int8', tier: 'ssd', method: 'int8' },
  { salt: 'int4', tier: 'ssd', method: 'int4' },
  { salt: 'fp8', tier: 'ssd', method: 'lmcache-fp8' },
] as const;

/**
 * Asks every question cold and from every place on disk; what was asked before is taken from the journal. The
 * requests that store a context are its cold ones. All others are asked at once: an engine that is bound by reading
 * its weights answers a dozen as fast as one.
 */
export async function askFromEveryPlace(
  arm: Arm,
  contexts: readonly BenchContext[],
  folder: string,
): Promise<Answered[]> {
  const journal = new Journal<Answered>(join(folder, 'quality.ndjson'));
  await publishPlaces(arm, contexts, folder);
  const engine = await connectEngine(arm.stack.api);
  const done = new Set(journal.rows.map(({ context }) => context));
  const places = PLACES.filter(({ tier }) => tier === 'ssd');
  for (const [context, { queries }] of contexts.entries()) {
    if (done.has(context)) continue;
    const ask = async (query: number, salt: string) => {
      const prompt = promptOf(contexts, { context, query });
      const { ttftSeconds, text } = await engine.complete(prompt, ANSWER_TOKENS, salt);
      return { arm: salt, context, query, ttftSeconds, text, inputTokens: prompt.length };
    };
    const cold: Answered[] = [];
    for (const [k, { salt }] of places.entries()) {
      const answered = await ask(k % queries.length, salt);
      if (k < queries.length) cold.push({ ...answered, arm: 'cold', hits: {} });
    }
    await settled(arm);
    const before = await served(arm);
    const rows = await Promise.all(places.flatMap(({ salt }) => queries.map((_, query) => ask(query, salt))));
    const hits = servedBetween(before, await served(arm));
    const chunksOf = (row: { arm: string }) => {
      const { tier, method } = places.find(({ salt }) => salt === row.arm)!;
      const place = method === 'none' ? tier : `${tier} ${method}`;
      const chunks = (hits.get(place) ?? 0) / queries.length;
      return chunks > 0 ? { [place]: chunks } : {};
    };
    for (const row of [...cold, ...rows.map((row) => ({ ...row, hits: chunksOf(row) }))]) journal.add(row);
    console.error(`answers: ${context + 1} of ${contexts.length} contexts`);
  }
  return journal.rows;
}

/** Times one question after the other, cold and from every place that can hold it, where it is put first. */
export async function timeEveryPlace(
  arm: Arm,
  contexts: readonly BenchContext[],
  folder: string,
): Promise<Answered[]> {
  const journal = new Journal<Answered>(join(folder, 'timing.ndjson'));
  const engine = await connectEngine(arm.stack.api);
  const done = new Set(journal.rows.map(({ arm: salt, context }) => `${salt} ${context}`));
  for (const context of contexts.keys())
    for (const { salt, tier } of PLACES) {
      if (done.has(`${salt} ${context}`)) continue;
      const ask = () => askCounted(arm, engine, contexts, { context, query: 0 }, { salt, answerTokens: 1 });
      if (tier !== 'recompute') {
        const { hits } = await ask();
        if (Object.keys(hits).length === 0) await settled(arm);
      }
      journal.add(await ask());
    }
  return journal.rows;
}

/** Waits until nothing has been stored for a second. */
async function settled({ stack }: Arm): Promise<void> {
  let before = '';
  await until(async () => {
    const now = JSON.stringify((await stack.status()).tiers);
    const same = now === before;
    before = now;
    if (!same) await new Promise((resolve) => setTimeout(resolve, 400));
    return same;
  }, 30);
}

async function publishPlaces(arm: Arm, contexts: readonly BenchContext[], folder: string): Promise<void> {
  const rows = PLACES.flatMap(({ salt, tier, method }) =>
    contexts.map(({ context, hashes }) => ({
      ...rowAt(`${context} ${salt}`, tier, method, 0),
      keys: { engine: 'lmcache', chunkSize: CHUNK_TOKENS, salt, hashes: [...hashes] },
    })),
  );
  const plan = handPlan(1, rows);
  const tiers = ['dram', 'ssd'].map((name) => ({
    name,
    capacityBytes: null,
    usedBytes: 0,
    price: 0,
  }));
  const path = join(folder, 'places.ndjson');
  await writePlan(path, { ...plan.header, tiers }, rows);
  const change = await reviewApply(arm.stateFolder, path);
  if (change.difference.changes.length > 0) await change.carryOut();
  await until(async () => (await arm.stack.status()).contexts === rows.length, 30).catch(async () => {
    throw new Error(`the plan was not taken: ${(await arm.stack.status()).last_refusal}`);
  });
}

/** Similarity to the cold answer, by place. */
export async function similarityByPlace(
  answers: readonly Answered[],
  similarity: Similarity,
): Promise<Map<string, { pairs: number; identical: number; similarity: number }>> {
  const cold = new Map(
    answers.filter((a) => a.arm === 'cold').map((a) => [`${a.context} ${a.query}`, a.text]),
  );
  const found = new Map<string, number[]>();
  for (const { arm, context, query, text, hits } of answers) {
    const reference = cold.get(`${context} ${query}`);
    if (arm === 'cold' || reference === undefined || Object.keys(hits).length === 0) continue;
    found.set(arm, [...(found.get(arm) ?? []), await similarity(reference, text)]);
  }
  return new Map(
    [...found].map(([arm, values]) => [
      arm,
      { pairs: values.length, identical: values.filter((v) => v === 1).length, similarity: mean(values) },
    ]),
  );
}

/**
 * Writes tiers.json, model.json and methods.ndjson as measured: what planning reads. A method's quality is its
 * similarity over that of the raw reload, which is the floor that rounding sets.
 */
export async function writeProfiles(
  folder: string,
  timed: readonly Answered[],
  similarities: ReadonlyMap<string, { pairs: number; similarity: number }>,
  base: { model: Model; diskRate: number; decompressSecondsPerByte: ReadonlyMap<string, number> },
): Promise<void> {
  const tiers: Tier[] = [
    { name: 'dram', kind: 'dram', capacityBytes: null, read: { latencySeconds: 0, bytesPerSecond: 5e9 } },
    {
      name: 'ssd',
      kind: 'file',
      capacityBytes: null,
      read: { latencySeconds: 0, bytesPerSecond: base.diskRate || 1e9 },
    },
  ];
  const fractions: Readonly<Record<string, number>> = STORED_FRACTION;
  const seconds = (method: string) => base.decompressSecondsPerByte.get(method) ?? 0;
  const calibration = calibrate(
    timed.map((a) => ({ ...a, hits: new Map(Object.entries(a.hits)) })),
    {
      tiers,
      model: base.model,
      chunkTokens: CHUNK_TOKENS,
      methodCost: (method) => ({
        bytesFraction: fractions[method] ?? 1,
        secondsPerFullByte: seconds(method),
      }),
    },
  );
  await writeWhole(
    join(folder, 'tiers.json'),
    jsonText({ ...formatHeader('tiers'), tiers: calibration.tiers }),
  );
  await writeWhole(
    join(folder, 'model.json'),
    jsonText({ ...formatHeader('model'), ...base.model, prefill: calibration.prefill, source: 'measured' }),
  );
  const raw = similarities.get('raw')!.similarity;
  const fullBytes = 1024 * base.model.kvBytesPerToken;
  const rows = (['int8', 'int4'] as const).map(
    (method): MethodRow => ({
      context: ANY_CONTEXT,
      tokens: 1024,
      fullBytes,
      method,
      compressionRatio: 1 - fractions[method]!,
      storedBytes: Math.ceil(fullBytes * fractions[method]!),
      quality: Math.min(1, similarities.get(method)!.similarity / raw),
      queries: similarities.get(method)!.pairs,
      metric: 'answer-similarity',
      decompressSeconds: fullBytes * seconds(method),
      model: base.model.name,
      runner: 'vllm+lmcache',
    }),
  );
  await writeMethods(join(folder, 'methods.ndjson'), { model: base.model.name, source: 'measured' }, rows);
}
