import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { loadModel, PROFILES_FOLDER } from '../../src/formats/bundled.js';
import { CONFIG_NAME, readConfig } from '../../src/formats/config.js';
import { readContexts } from '../../src/formats/contexts.js';
import { readMethods } from '../../src/formats/methods.js';
import { planPieces, readPlan } from '../../src/formats/plan.js';
import { readReplays } from '../../src/formats/replay.js';
import { readSize } from '../../src/formats/size.js';
import { readTiers } from '../../src/formats/tiers.js';
import { openJournal } from '../../src/methods/journal.js';
import { formats } from '../../src/traces/index.js';
import { loadTrace } from '../../src/traces/load.js';
import { checkFile } from '../../src/workflows/check-file.js';
import { readSamples } from '../../src/workflows/refresh/drift/samples.js';
import { pastGenerations } from '../../src/workflows/refresh/history.js';
import { PlanStore } from '../../src/workflows/refresh/plan-store.js';
import { readLog } from '../../src/workflows/refresh/read-log.js';
import { freshState, readState } from '../../src/workflows/refresh/state.js';
import { sampleLog } from '../traces/every-format.js';
import { testInputs, testOptions, testTools } from '../workflows/refreshing.js';

/** A reader with an input that it accepts. */
export interface Reader {
  readonly name: string;
  /** Where it looks, below the folder. */
  readonly file: string;
  readonly valid: Buffer;
  /** Does all the commands do with such a file while they read it. */
  readonly read: (path: string, folder: string) => Promise<unknown>;
}

const ndjson = (...rows: readonly unknown[]) =>
  Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));

export const HEADER = {
  format: 'evicpress.plan' as const,
  version: 1,
  generation: 1,
  model: 'm',
  periodSeconds: 60,
  objective: { alpha: 1 },
  tiers: [{ name: 'dram', capacityBytes: 10, usedBytes: 1, price: 0 }],
  summary: {
    contexts: 1,
    utility: 1,
    bound: 1,
    relaxationBound: 1,
    gap: 0,
    gapOfSpan: 0,
    meanTtftSeconds: 1,
    meanQuality: 1,
    solver: 'dual',
  },
  rules: { fallback: 'lru', classes: [] },
  inputs: [{ path: 'a', sha256: 'b' }],
};
const ROW = {
  context: 'a',
  tier: 'dram',
  method: 'none',
  compressionRatio: 0,
  storedBytes: 1,
  quality: 1,
  ttftSeconds: 1,
  accesses: 3,
};
const PLAN = Buffer.from([...planPieces(HEADER, [ROW])].join(''));
const METHODS = ndjson(
  { format: 'evicpress.methods', version: 1, model: 'm' },
  { context: '*', fullBytes: 10, method: 'int4', compressionRatio: 0, storedBytes: 3, quality: 0.9 },
);
const CONTEXTS = ndjson(
  { context: 'a', tokens: 9, accesses: 1 },
  { context: 'b', tokens: 9, accesses: 1, parent: 'a' },
);
const MODEL = ndjson({ name: 'm', kvBytesPerToken: 9, prefill: { secondsPerToken: 1e-5 } });
const CONFIG = Buffer.from('model: m\ncapacity:\n  dram: 80GB\nrefresh: &a\n  minGain: 0.1\nplan: *a\n');
const POLICY = {
  policy: 'lru',
  hitShare: { dram: 0.5 },
  prefixHitRate: 0.5,
  ttft: { mean: 1, p50: 1, p90: 1, p99: 1 },
  meanQuality: 1,
  p10Quality: 1,
  bytesRead: { dram: 1 },
  bytesWritten: { dram: 1 },
  bytesMoved: 1,
  utilization: 0.5,
};
const REPLAY = ndjson({ format: 'evicpress.replay', version: 1, requests: 9, warm: 3, policies: [POLICY] });
const POINT = { capacities: { dram: 9 }, meanTtftSeconds: 1, meanQuality: 1, hitShare: 0.5 };
const SIZE = ndjson({
  format: 'evicpress.size',
  version: 1,
  points: [POINT],
  knee: { capacities: { dram: 9 } },
});
const SAMPLES = ndjson(
  { method: 'int4', quality: 0.5, class: 'c' },
  { method: 'knorm', compressionRatio: 0.5, quality: 1 },
);
const EVIDENCE = { endBytes: 64, bytes: 64, sha256: '0011223344556677' };
const STATE = {
  ...freshState('log.jsonl'),
  log: {
    path: 'log.jsonl',
    format: 'mooncake',
    blockTokens: 512,
    engineKeys: { engine: 'lmcache', chunkSize: 256, model: 'm' },
    position: {
      inode: 3,
      sizeBytes: 300,
      modifiedMs: 5,
      offsetBytes: 200,
      lines: 2,
      head: [EVIDENCE],
      recentLines: [EVIDENCE, { ...EVIDENCE, endBytes: 200 }],
    },
    clock: { logSeconds: 1, countedSeconds: 2 },
  },
  requests: { counted: 3, bad: 0 },
  window: { files: [{ name: '000001.jsonl', bytes: 90, requests: 1 }], nextFile: 2 },
  inputs: { a: 'b' },
  promise: {
    generation: 1,
    sha256: 'x',
    publishedAt: '2026-01-01T00:00:00Z',
    atRequest: 1,
    hitShare: 0.5,
    meanTtftSeconds: 1,
    meanQuality: 1,
  },
  tierChecks: { dram: { checkedAt: '2026-01-01T00:00:00Z', slowdown: 1 } },
};
const TURN = {
  at: '2026-01-01T00:00:00Z',
  event: 'kept',
  generation: 1,
  candidate: { inForce: STATE.promise },
};
const RECORD = {
  generation: 1,
  fileSha256: 'x',
  publishedAt: TURN.at,
  reason: 'first',
  expected: STATE.promise,
};
const TIERS = readFileSync(join(PROFILES_FOLDER, 'tiers', 'h100-host.json'));

/** The state as a turn goes on from it: position, window and all. */
async function goOn(folder: string): Promise<unknown> {
  const options = { ...testOptions(folder), folder, log: join(folder, 'log.jsonl') };
  const { state } = await readState(folder);
  writeFileSync(options.log, sampleLog('mooncake', 5));
  const log = await readLog(
    state ?? freshState(options.log),
    { ...options, dryRun: true },
    testTools(testInputs),
    () => undefined,
  );
  return log.trace();
}

/** A log as refresh follows it. */
async function follow(path: string, folder: string, format?: string): Promise<unknown> {
  const options = {
    ...testOptions(folder),
    log: path,
    dryRun: true,
    ...(format === undefined ? {} : { format }),
  };
  const log = await readLog(freshState(path), options, testTools(testInputs), () => undefined);
  return log.trace();
}

function beside(folder: string, name: string, bytes: Buffer): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

const files: readonly Reader[] = [
  { name: 'plan', file: 'plan.ndjson', valid: PLAN, read: readPlan },
  { name: 'tiers', file: 'tiers.json', valid: TIERS, read: readTiers },
  { name: 'methods', file: 'methods.ndjson', valid: METHODS, read: readMethods },
  {
    name: 'contexts',
    file: 'contexts.ndjson',
    valid: CONTEXTS,
    read: (path) => readContexts(path, 'planning'),
  },
  { name: 'model', file: 'model.json', valid: MODEL, read: loadModel },
  { name: 'replay', file: 'replay.json', valid: REPLAY, read: readReplays },
  { name: 'size', file: 'size.json', valid: SIZE, read: readSize },
  { name: 'evicpress.yaml', file: CONFIG_NAME, valid: CONFIG, read: (_, folder) => readConfig(folder) },
  { name: 'quality samples', file: 'samples.ndjson', valid: SAMPLES, read: readSamples },
];

const kept: readonly Reader[] = [
  { name: 'state', file: 'state.json', valid: ndjson(STATE), read: (_, folder) => readState(folder) },
  {
    name: 'state that a turn goes on from',
    file: 'state.json',
    valid: ndjson(STATE),
    read: (_, folder) => goOn(folder),
  },
  {
    name: 'journal of turns',
    file: 'journal.ndjson',
    valid: ndjson({ format: 'evicpress.journal', version: 1 }, TURN, TURN),
    read: (_, folder) => {
      beside(folder, 'generations/000001.json', ndjson(RECORD));
      beside(folder, 'generations/000001.ndjson', PLAN);
      return pastGenerations(folder);
    },
  },
  {
    name: 'record of a generation',
    file: 'generations/000001.json',
    valid: ndjson(RECORD),
    read: (_, folder) => {
      beside(folder, 'generations/000001.ndjson', PLAN);
      return pastGenerations(folder);
    },
  },
  {
    name: 'plan in force',
    file: 'in-force.ndjson',
    valid: PLAN,
    read: async (_, folder) => {
      const store = new PlanStore(folder);
      const { inForce } = await store.open(false);
      return inForce === undefined ? undefined : store.read(inForce);
    },
  },
  {
    name: 'journal of profiling',
    file: 'methods.journal.ndjson',
    valid: ndjson(
      { format: 'evicpress.journal', version: 1 },
      { context: 'a', inputs: 'x', method: 'int4', compressionRatio: 0.75, failed: 'no' },
    ),
    read: async (path) => (await openJournal(path, true)).close(),
  },
];

const MOONCAKE = Buffer.from(sampleLog('mooncake', 3));
const logs: readonly Reader[] = [
  { name: 'log', file: 'log.jsonl', valid: MOONCAKE, read: (path) => loadTrace(path) },
  {
    name: 'log, bad lines left out',
    file: 'log.jsonl',
    valid: MOONCAKE,
    read: (path) => loadTrace(path, { skipBad: true }),
  },
  {
    name: 'compressed log',
    file: 'log.jsonl.gz',
    valid: gzipSync(MOONCAKE),
    read: (path) => loadTrace(path),
  },
  { name: 'followed log', file: 'log.jsonl', valid: MOONCAKE, read: follow },
  { name: 'followed compressed log', file: 'log.jsonl.gz', valid: gzipSync(MOONCAKE), read: follow },
  ...formats.flatMap(({ name }): Reader[] => {
    const valid = Buffer.from(sampleLog(name, 3));
    return [
      {
        name: `log as ${name}`,
        file: 'log.jsonl',
        valid,
        read: (path) => loadTrace(path, { format: name }),
      },
      {
        name: `followed log as ${name}`,
        file: 'log.jsonl',
        valid,
        read: (path, folder) => follow(path, folder, name),
      },
    ];
  }),
];

const checked: readonly Reader[] = [...files.filter(({ name }) => name !== 'quality samples'), logs[0]!].map(
  ({ name, file, valid }) => ({ name: `check of ${name}`, file, valid, read: (path) => checkFile(path) }),
);

/** Every reader of files that somebody else may have written, or a fault of the disk may have changed. */
export const READERS: readonly Reader[] = [...files, ...kept, ...logs, ...checked];

/** Runs a reader on bytes, in a folder of its own. @returns its value, or what it threw. */
export async function outcomeOf({ file, read }: Reader, bytes: Buffer, folder: string): Promise<unknown> {
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  try {
    return await read(path, folder);
  } catch (error) {
    return error;
  } finally {
    rmSync(path, { force: true });
  }
}
