/**
 * What a plan is worth on real servers: vLLM for CPU with LMCache, the plan's arm beside LMCache as shipped, all up
 * at once, each request sent to every arm in turn.
 *
 *     npm run bench -- engines run --contexts FILE     everything below, one after the other
 *     npm run bench -- engines up|profile|warm|measure|report|down ...   one step at a time
 *
 * Steps keep what they did in --folder: a run that is cut off goes on with the same command.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectEngine } from '../../src/engines/live-engine.js';
import { loadModel } from '../../src/formats/bundled.js';
import { cacheFolder } from '../../src/formats/cache-folder.js';
import { ensureModels } from '../../src/methods/embedded/models.js';
import { openSimilarity } from '../../src/methods/embedded/runner.js';
import { DTYPE, type StackState, until, whyNot } from '../engines/stack.js';
import {
  Arm,
  type Budgets,
  CHUNK_TOKENS,
  KV_BYTES_PER_TOKEN,
  MAX_TOKENS,
  MODEL_NAME,
  signalGroup,
} from './engines/arms.js';
import { ANSWER_TOKENS, type Answered, askCounted, failuresOf, Journal, sumOf } from './engines/measured.js';
import { planFromWarmUp, publishEmptyPlan } from './engines/planning.js';
import { askFromEveryPlace, similarityByPlace, timeEveryPlace, writeProfiles } from './engines/quality.js';
import { printReport } from './engines/report.js';
import { type BenchContext, drawRequests, readBenchContexts } from './engines/requests.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    folder: { type: 'string', default: '.evicpress/bench-engines' },
    profiles: { type: 'string' },
    contexts: { type: 'string', default: 'profiles/contexts/samples.ndjson' },
    arms: { type: 'string', default: 'plan,raw,fp8,raw+retain,fp8+retain' },
    'max-tokens': { type: 'string', default: String(MAX_TOKENS) },
    seed: { type: 'string', default: '1' },
    zipf: { type: 'string', default: '0.9' },
    warm: { type: 'string', default: '60' },
    requests: { type: 'string', default: '120' },
    'memory-share': { type: 'string', default: '0.15' },
    'disk-share': { type: 'string', default: '0.35' },
    'disk-rate': { type: 'string', default: '240e6' },
    'disk-folder': { type: 'string' },
    // Answers as those of an uncompressed reload but for .03; --alpha instead of it weighs quality against seconds.
    'mean-quality': { type: 'string', default: '0.97' },
    alpha: { type: 'string' },
    skip: { type: 'string', default: '0' },
    'answer-tokens': { type: 'string', default: String(ANSWER_TOKENS) },
    'profile-contexts': { type: 'string', default: '1000' },
  },
});
const { folder } = values;
const seed = Number(values.seed);
const maxTokens = Math.min(MAX_TOKENS, Number(values['max-tokens']));
/** Contexts whose loads and prefills are timed, short ones and long ones. */
const TIMED_CONTEXTS = 12;
/** How long an arm goes on after an answer: storing what was new takes a fraction of that. */
const AFTER_ANSWER_MS = 750;
/** Of English text, roughly. */
const CHARACTERS_PER_TOKEN = 4.3;

/** What `up` left for the steps after it. */
interface Running {
  readonly arms: Readonly<Record<string, StackState>>;
  readonly budgets: Budgets;
}

const runningPath = join(folder, 'running.json');
const contextsPath = join(folder, 'contexts.json');

/** The arms that run; those whose engine has died are out. */
function armsUp(): Arm[] {
  const { arms, budgets } = JSON.parse(readFileSync(runningPath, 'utf8')) as Running;
  return Object.entries(arms)
    .map(([name, state]) => new Arm(name, folder, budgets, state))
    .filter(({ name }) => !diedArms().includes(name));
}

const diedPath = join(folder, 'died.json');
const diedArms = () =>
  existsSync(diedPath) ? (JSON.parse(readFileSync(diedPath, 'utf8')) as readonly string[]) : [];

/**
 * An answer, or undefined where the engine has died, as vLLM does now and then by a fault of its own: that arm is
 * then rejected, and the others go on.
 */
async function answered(arm: Arm, ask: () => Promise<Answered>): Promise<Answered | undefined> {
  if (diedArms().includes(arm.name)) return undefined;
  try {
    return await ask();
  } catch (error) {
    const lives = await fetch(`${arm.stack.api}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (lives) throw error;
    console.error(`${arm.name}: the engine has died, the arm is rejected: ${(error as Error).message}`);
    writeFileSync(diedPath, JSON.stringify([...diedArms(), arm.name]));
    return undefined;
  }
}

/** How many requests a journal has of every arm that runs. */
function askedOfAll(journal: Journal<Answered>, arms: readonly Arm[]): number {
  return Math.min(...arms.map(({ name }) => journal.rows.filter((row) => row.arm === name).length));
}

const contextsUp = () => JSON.parse(readFileSync(contextsPath, 'utf8')) as BenchContext[];

/** Starts every arm's server and engine. */
async function up(): Promise<void> {
  const rate = Number(values['disk-rate']);
  const tokens = tokensOf(values.contexts);
  const bytes = tokens.reduce((sum, count) => sum + count, 0) * KV_BYTES_PER_TOKEN;
  const budgets: Budgets = {
    memoryBytes: Math.round(bytes * Number(values['memory-share'])),
    largestContextChunks: Math.floor(Math.max(...tokens) / CHUNK_TOKENS),
    diskBytes: Math.round(bytes * Number(values['disk-share'])),
    diskRate: rate,
    diskFolder:
      values['disk-folder'] ??
      (rate > 0 ? `/dev/shm/evicpress-bench-disk-${process.pid}` : join(folder, 'disk')),
    memoryFolder: `/dev/shm/evicpress-bench-memory-${process.pid}`,
  };
  const arms = values.arms.split(',').map((name) => new Arm(name, folder, budgets));
  try {
    await Promise.all(arms.map((arm) => arm.stack.start()));
  } catch (error) {
    await Promise.all(arms.map((arm) => arm.stack.stop()));
    throw error;
  }
  const states = Object.fromEntries(arms.map((arm) => [arm.name, arm.stack.state]));
  writeFileSync(runningPath, JSON.stringify({ arms: states, budgets } satisfies Running));
  writeFileSync(
    contextsPath,
    JSON.stringify(await readBenchContexts(values.contexts, arms[0]!.stack, maxTokens)),
  );
}

/** Tokens of all contexts, from their length in characters: budgets must be known before an engine can count. */
function tokensOf(path: string): number[] {
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { text?: string }).text ?? '')
    .map((text) => Math.min(maxTokens, text.length / CHARACTERS_PER_TOKEN));
}

/** Measures places and methods on the first arm, which must be a plan's. */
async function profile(): Promise<void> {
  const [arm] = armsUp();
  const contexts = contextsUp().slice(0, Number(values['profile-contexts']));
  const answers = await askFromEveryPlace(arm!, contexts, folder);
  const timed = await timeEveryPlace(arm!, evenlyByLength(contexts, TIMED_CONTEXTS), folder);
  const metrics = await arm!.stack.metrics();
  const similarities = await similarityByPlace(answers, await similarity());
  const decompressSecondsPerByte = new Map(
    ['int8', 'int4'].map((method) => {
      const of = (name: string) => metrics.get(`evicpress_${name}{method="${method}"}`) ?? 0;
      const chunkBytes = CHUNK_TOKENS * KV_BYTES_PER_TOKEN;
      return [method, of('decompress_seconds_total') / of('decompressed_chunks_total') / chunkBytes];
    }),
  );
  writeFileSync(
    join(folder, 'similarity.json'),
    JSON.stringify(Object.fromEntries(similarities), undefined, 1),
  );
  const { budgets } = JSON.parse(readFileSync(runningPath, 'utf8')) as Running;
  const model = {
    ...(await loadModel(MODEL_NAME)),
    kvBytesPerToken: KV_BYTES_PER_TOKEN,
    kvDtype: DTYPE.name,
  };
  await writeProfiles(folder, timed, similarities, {
    model,
    diskRate: budgets.diskRate,
    decompressSecondsPerByte,
  });
  console.table(Object.fromEntries(similarities));
}

/** So many contexts, as far apart in length as there are. */
function evenlyByLength(contexts: readonly BenchContext[], count: number): BenchContext[] {
  const sorted = [...contexts].sort((a, b) => a.tokens.length - b.tokens.length);
  const step = Math.max(1, (sorted.length - 1) / (count - 1));
  return sorted.filter((_, i) => Math.round(Math.round(i / step) * step) === i);
}

const similarity = async () => openSimilarity(await ensureModels(cacheFolder(), () => undefined));

const drawn = (contexts: readonly BenchContext[]) =>
  drawRequests(contexts, {
    seed,
    zipf: Number(values.zipf),
    warm: Number(values.warm),
    measured: Number(values.requests),
  });

/** The same warm-up for every arm, then the plan from what the warm-up asked for. */
async function warm(): Promise<void> {
  const contexts = contextsUp();
  const requests = drawn(contexts).warm;
  const { budgets, arms: started } = JSON.parse(readFileSync(runningPath, 'utf8')) as Running;
  const arms = { ...started };
  const planned = armsUp().filter((arm) => arm.planned);
  for (const arm of planned) await publishEmptyPlan(arm, budgets, folder);
  await warmAll(contexts, requests);
  for (const arm of planned) {
    arms[arm.name] = await planFromWarmUp(arm, contexts, requests, budgets, {
      folder,
      profiles: values.profiles ?? folder,
      objective:
        values.alpha === undefined ? ['--mean-quality', values['mean-quality']] : ['--alpha', values.alpha],
      running: arms[arm.name]!,
    });
    writeFileSync(runningPath, JSON.stringify({ budgets, arms } satisfies Running));
  }
}

async function measure(): Promise<void> {
  const contexts = contextsUp();
  await measureAll(contexts, drawn(contexts).measured);
}

/** Sends each request to all arms at once: what a warm-up takes is of no interest, nor what it is answered. */
async function warmAll(
  contexts: readonly BenchContext[],
  requests: ReturnType<typeof drawn>['warm'],
): Promise<void> {
  const arms = armsUp();
  const engines = await Promise.all(arms.map((arm) => connectEngine(arm.stack.api)));
  const journal = new Journal<Answered>(join(folder, 'warm.ndjson'));
  for (let r = askedOfAll(journal, arms); r < requests.length; r++) {
    const rows = await Promise.all(
      arms.map((arm, a) =>
        answered(arm, () => askCounted(arm, engines[a]!, contexts, requests[r]!, { answerTokens: 1 })),
      ),
    );
    for (const row of rows) if (row !== undefined) journal.add(row);
    if (r % 10 === 9) console.error(`warm-up: ${r + 1} of ${requests.length}`);
  }
}

/**
 * Sends each request to every arm, the arms in an order that moves on by one with each request. All others are
 * stopped meanwhile; an arm has the machine for a moment more, for what it does after an answer.
 */
async function measureAll(
  contexts: readonly BenchContext[],
  requests: ReturnType<typeof drawn>['measured'],
): Promise<void> {
  const arms = armsUp();
  const engines = await Promise.all(arms.map((arm) => connectEngine(arm.stack.api)));
  const answerTokens = Number(values['answer-tokens']);
  const journal = new Journal<Answered>(join(folder, 'measured.ndjson'));
  for (const arm of arms) arm.signal('SIGSTOP');
  for (let r = askedOfAll(journal, arms); r < requests.length; r++) {
    for (let k = 0; k < arms.length; k++) {
      const a = (k + r) % arms.length;
      const arm = arms[a]!;
      if (askedOfAll(journal, [arm]) > r) continue;
      arm.signal('SIGCONT');
      const row = await answered(arm, () =>
        askCounted(arm, engines[a]!, contexts, requests[r]!, { answerTokens }),
      );
      if (row !== undefined) journal.add(row);
      await new Promise((resolve) => setTimeout(resolve, AFTER_ANSWER_MS));
      arm.signal('SIGSTOP');
    }
    if (r % 10 === 9) console.error(`measured: ${r + 1} of ${requests.length}`);
  }
  for (const arm of arms) arm.signal('SIGCONT');
  const facts = await Promise.all(
    armsUp().map(async (arm) => ({
      arm: arm.name,
      ...(await failuresOf(arm.stack)),
      heldBytes: arm.planned
        ? sumOf(await arm.stack.metrics(), 'evicpress_held_bytes')
        : sumOf(await arm.stack.metrics(), 'lmcache_mp_l2_usage_bytes'),
      ...(arm.planned ? { status: await arm.stack.status() } : {}),
    })),
  );
  writeFileSync(join(folder, 'measured.facts.json'), JSON.stringify(facts, undefined, 1));
}

async function report(): Promise<void> {
  const budgets = (JSON.parse(readFileSync(runningPath, 'utf8')) as Running).budgets;
  const profiles = values.profiles ?? folder;
  await printReport(folder, {
    profiles,
    seed,
    skip: Number(values.skip),
    died: diedArms(),
    budgets,
    totalBytes: contextsUp().reduce((sum, { tokens }) => sum + tokens.length * KV_BYTES_PER_TOKEN, 0),
    similarity: existsSync(join(profiles, 'quality.ndjson')) ? await similarity() : undefined,
  });
}

/** Ends every arm's processes and empties its disk. */
async function down(): Promise<void> {
  if (!existsSync(runningPath)) return;
  const { arms, budgets } = JSON.parse(readFileSync(runningPath, 'utf8')) as Running;
  const groups = Object.values(arms).flatMap((state) => state.groups);
  for (const group of groups) signalGroup(group, 'SIGKILL');
  await until(() => groups.every((group) => !existsSync(`/proc/${group}`)), 60);
  for (const path of [budgets.diskFolder, budgets.memoryFolder])
    rmSync(path, { recursive: true, force: true });
}

const steps: Readonly<Record<string, () => Promise<void>>> = { up, profile, warm, measure, report, down };

async function main([step, ...more]: readonly string[]): Promise<void> {
  const reason = whyNot();
  if (reason !== undefined) return console.log(`skipped: ${reason}`);
  if (step === undefined)
    return console.log(
      'skipped: takes an hour; say `npm run bench -- engines run` (see test/bench/engines.bench.ts)',
    );
  mkdirSync(folder, { recursive: true });
  if (step !== 'run') {
    for (const name of [step, ...more]) await steps[name]!();
    return;
  }
  // Places and methods are measured by one arm of its own, before the arms that are compared.
  if (values.profiles === undefined) {
    const own = join(folder, 'profiles');
    const { status } = spawnSync(
      process.execPath,
      [
        ...process.execArgv,
        process.argv[1]!,
        ...['up', 'profile', 'down'],
        ...process.argv.slice(3),
        // The last of two flags counts: these stand whatever was given.
        ...['--arms', 'plan', '--folder', own, '--memory-share', '1.2'],
      ],
      { stdio: 'inherit' },
    );
    if (status !== 0) throw new Error(`profiling ended with ${status}`);
    values.profiles = own;
  }
  try {
    for (const name of ['up', 'warm', 'measure', 'report']) await steps[name]!();
  } finally {
    await down();
  }
}

await main(positionals);
// Servers that were started go on; they must not hold this process.
process.exit();
