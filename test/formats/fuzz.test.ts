import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { EvicpressError } from '../../src/errors.js';
import { loadModel, PROFILES_FOLDER } from '../../src/formats/bundled.js';
import { CONFIG_NAME, readConfig } from '../../src/formats/config.js';
import { readContexts } from '../../src/formats/contexts.js';
import { readMethods } from '../../src/formats/methods.js';
import { planPieces, readPlan } from '../../src/formats/plan.js';
import { readTiers } from '../../src/formats/tiers.js';
import { formats } from '../../src/traces/index.js';
import { loadTrace } from '../../src/traces/load.js';
import { readSamples } from '../../src/workflows/refresh/drift/samples.js';
import { readState } from '../../src/workflows/refresh/state.js';
import { randomFrom } from '../support/instances.js';

/** Mutations per reader; the long mode: EVICPRESS_FUZZ=100000. */
const ROUNDS = Number(process.env.EVICPRESS_FUZZ ?? 150);
const SEED = Number(process.env.EVICPRESS_FUZZ_SEED ?? 1);
const FOLDER = mkdtempSync(join(tmpdir(), 'evicpress-fuzz-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

/** A reader with an input that it accepts. */
interface Reader {
  readonly name: string;
  readonly file: string;
  readonly valid: Buffer;
  readonly read: (path: string) => Promise<unknown>;
}

const ndjson = (...rows: readonly unknown[]) =>
  Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));

const HEADER = {
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
const REQUEST = { timestamp: 5, input_length: 1000, output_length: 3, hash_ids: [1, 2], class: 'c' };
const LOG = ndjson(REQUEST, { ...REQUEST, timestamp: 9, hash_ids: ['x', 3, 9e18] });
const STATE = {
  format: 'evicpress.state',
  version: 2,
  log: { path: 'log', format: 'mooncake', blockTokens: 512, clock: { logSeconds: 1, countedSeconds: 2 } },
  requests: { counted: 3, bad: 0 },
  window: { files: [{ name: '000001.jsonl', bytes: 3, requests: 1 }], nextFile: 2 },
  inputs: {},
  promise: null,
  tierProbes: { checkedAt: null },
  tierChecks: {},
  tierCorrections: {},
  decidedAtRequest: 0,
};

const READERS: readonly Reader[] = [
  {
    name: 'plan',
    file: 'plan.ndjson',
    valid: Buffer.from([...planPieces(HEADER, [ROW])].join('')),
    read: readPlan,
  },
  {
    name: 'tiers',
    file: 'tiers.json',
    valid: readFileSync(join(PROFILES_FOLDER, 'tiers', 'h100-host.json')),
    read: readTiers,
  },
  {
    name: 'methods',
    file: 'methods.ndjson',
    valid: ndjson(
      { format: 'evicpress.methods', version: 1, model: 'm' },
      { context: '*', fullBytes: 10, method: 'int4', compressionRatio: 0, storedBytes: 3, quality: 0.9 },
    ),
    read: readMethods,
  },
  {
    name: 'contexts',
    file: 'contexts.ndjson',
    valid: ndjson(
      { context: 'a', tokens: 9, accesses: 1 },
      { context: 'b', tokens: 9, accesses: 1, parent: 'a' },
    ),
    read: (path) => readContexts(path, 'planning'),
  },
  {
    name: 'model',
    file: 'model.json',
    valid: ndjson({ name: 'm', kvBytesPerToken: 9, prefill: { secondsPerToken: 1e-5 } }),
    read: loadModel,
  },
  {
    name: 'evicpress.yaml',
    file: CONFIG_NAME,
    valid: Buffer.from('model: m\ncapacity:\n  dram: 80GB\nrefresh: &a\n  minGain: 0.1\nplan: *a\n'),
    read: () => readConfig(FOLDER),
  },
  {
    name: 'quality samples',
    file: 'samples.ndjson',
    valid: ndjson(
      { method: 'int4', quality: 0.5, class: 'c' },
      { method: 'knorm', compressionRatio: 0.5, quality: 1 },
    ),
    read: readSamples,
  },
  { name: 'state', file: 'state.json', valid: ndjson(STATE), read: () => readState(FOLDER) },
  { name: 'log', file: 'log.jsonl', valid: LOG, read: (path) => loadTrace(path) },
  {
    name: 'log, bad lines left out',
    file: 'log.jsonl',
    valid: LOG,
    read: (path) => loadTrace(path, { skipBad: true }),
  },
  { name: 'compressed log', file: 'log.jsonl.gz', valid: gzipSync(LOG), read: (path) => loadTrace(path) },
  ...formats.map(
    ({ name }): Reader => ({
      name: `log as ${name}`,
      file: 'log.jsonl',
      valid: LOG,
      read: (path) => loadTrace(path, { format: name }),
    }),
  ),
];

const TOKENS = [
  ...['{', '}', '[', ']', '"', ',', ':', '\n', '\r\n', '\u0000', '\u001b[2J', '\u2028', '\ufeff', '\\u0000'],
  ...['null', 'true', '-1', '1e999', '-0', '0.5', '9007199254740993', '""', '{}', '[]', 'NaN'],
  ...['"__proto__":{"a":1},', '"constructor":{},', '"toString":1,', '"version":2', '"version":"x"'],
  ...['&a', '*a', '!!js/function', '- ', ': ', '\t', '%', '../../etc/passwd'],
  '['.repeat(3000),
  '{"a":'.repeat(3000),
  'x'.repeat(5000),
].map((text) => Buffer.from(text));

/** Between one and four edits: a bit turned, a stretch cut, doubled or moved, a token put in, the end cut off. */
function mutated(valid: Buffer, random: () => number): Buffer {
  let bytes = Buffer.from(valid);
  const upTo = (limit: number) => Math.floor(random() * limit);
  for (let edits = 1 + upTo(4); edits > 0; edits--) {
    const at = upTo(bytes.length + 1);
    const to = Math.min(bytes.length, at + upTo(40));
    switch (upTo(6)) {
      case 0:
        if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << upTo(8));
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), TOKENS[upTo(TOKENS.length)]!, bytes.subarray(to)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), TOKENS[upTo(TOKENS.length)]!, bytes.subarray(at)]);
        break;
      default:
        bytes = bytes.subarray(0, at);
    }
  }
  return bytes;
}

describe('readers of hostile files', () => {
  it.each(READERS.map((reader) => [reader.name, reader] as const))(
    '%s: a value or one clear error, never a crash',
    { timeout: 60_000 + 20 * ROUNDS },
    async (_, { file, valid, read }) => {
      const path = join(FOLDER, file);
      const random = randomFrom(SEED);
      for (let round = 0; round < ROUNDS; round++) {
        const bytes = mutated(valid, random);
        writeFileSync(path, bytes);
        try {
          await read(path);
        } catch (error) {
          const shown = bytes.toString('latin1').slice(0, 300);
          expect(error, `round ${round}: ${(error as Error).stack}\n${shown}`).toBeInstanceOf(EvicpressError);
          const { message } = error as EvicpressError;
          expect(message, shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
          expect(message.length, shown).toBeLessThan(2000);
        }
      }
      rmSync(path, { force: true });
    },
  );

  it('refuses text nested a hundred thousand deep with one clear error', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    for (const { file, read, name } of READERS.filter((reader) => !reader.file.endsWith('.gz'))) {
      const path = join(FOLDER, file);
      for (const text of [deep, `{"context":${deep}}`, `{"timestamp":${deep}}`, `{"version":${deep}}`]) {
        writeFileSync(path, `${text}\n`);
        const outcome = await Promise.resolve(read(path)).catch((error: unknown) => error);
        if (outcome instanceof Error)
          expect(outcome, `${name}: ${outcome.stack}`).toBeInstanceOf(EvicpressError);
      }
      rmSync(path, { force: true });
    }
  });

  it('takes a prototype key for any other key', async () => {
    const path = join(FOLDER, 'tiers.json');
    const text = readFileSync(join(PROFILES_FOLDER, 'tiers', 'h100-host.json'), 'utf8');
    writeFileSync(
      path,
      text.replace('{', '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}},'),
    );
    await readTiers(path).catch(() => undefined);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
