import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openKvpressRunner, splitMethod } from '../../src/methods/kvpress-runner.js';
import { ContextFailure } from '../../src/methods/runner.js';

/** Recorded replies of the worker, played back by a small program in its place. */
const REPLIES: Readonly<Record<string, unknown>> = {
  open: {
    ok: { model: 'tiny', presses: ['knorm', 'snapkv'], fixedRatios: { int8: 0.5, int4: 0.75 }, together: 5 },
  },
  prepare: {
    ok: { tokens: 12, fullBytes: 480, cutTokens: 0, prefillSeconds: 0.1, referenceAnswers: ['Paris.'] },
  },
};
const MEASURED: Readonly<Record<string, unknown>> = {
  knorm: {
    ok: {
      storedBytes: 240,
      compressSeconds: 0.01,
      decompressSeconds: 0,
      answers: ['Paris.'],
      tokenAgreement: [1],
      klDivergence: [0.02],
    },
  },
  snapkv: { failed: 'AssertionError: Query length 12 should be greater than the window size 64' },
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evicpress-kvpress-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function worker(body: string): string {
  const path = join(folder, 'python');
  writeFileSync(path, `#!${process.execPath}\n${body}`);
  chmodSync(path, 0o755);
  return path;
}

const PLAYBACK = `
const replies = ${JSON.stringify(REPLIES)}, measured = ${JSON.stringify(MEASURED)};
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, op, configurations } = JSON.parse(line);
  const reply = op === 'measure' ? { ok: configurations.map(({ method }) => measured[method]) } : replies[op];
  console.log(JSON.stringify({ id, ...(reply ?? { error: 'unknown' }) }));
});`;

const open = (python: string) =>
  openKvpressRunner(
    {
      ...{ python, model: 'm', dtype: 'float32', device: 'cpu', longContexts: 'cut' },
      similarity: async () => 1,
    },
    () => undefined,
  );

describe('the kvpress runner', () => {
  it('lets its libraries report nothing to their makers', async () => {
    const telling = PLAYBACK.replace(
      "{ error: 'unknown' }",
      '{ error: process.env.RAY_USAGE_STATS_ENABLED + process.env.HF_HUB_DISABLE_TELEMETRY }',
    ).replace('replies[op]', 'undefined');
    await expect(open(worker(telling))).rejects.toThrow(/^01$/);
  });

  it('asks the worker and hands on what it says', async () => {
    const runner = await open(worker(PLAYBACK));
    expect(runner).toMatchObject({ name: 'kvpress', model: 'tiny' });
    expect(runner.fixedRatio('int4')).toBe(0.75);
    expect(runner.fixedRatio('knorm')).toBeUndefined();
    expect(runner.smallestRatio('knorm+int8')).toBe(0.5);
    const context = await runner.prepare({ context: 'a', text: 't', queries: ['q'] }, 8);
    expect(context).toMatchObject({ tokens: 12, fullBytes: 480, referenceAnswers: ['Paris.'] });
    expect(await context.measure({ method: 'knorm', compressionRatio: 0.5 })).toMatchObject({
      storedBytes: 240,
    });
    await expect(context.measure({ method: 'snapkv', compressionRatio: 0.5 })).rejects.toThrow(
      'window size 64',
    );
    await runner.close();
  });

  it('measures several at once; what cannot be measured is a failure in its place', async () => {
    const runner = await open(worker(PLAYBACK));
    expect(runner.together).toBe(5);
    const context = await runner.prepare({ context: 'a', text: 't', queries: ['q'] }, 8);
    const [first, second] = await context.measureTogether!([
      { method: 'knorm', compressionRatio: 0.5 },
      { method: 'snapkv', compressionRatio: 0.5 },
    ]);
    expect(first).toMatchObject({ storedBytes: 240 });
    expect(second).toBeInstanceOf(ContextFailure);
    await runner.close();
  });

  it('says which Python it could not use', async () => {
    await expect(open(join(folder, 'nowhere'))).rejects.toThrow(
      'there is no such program. Name a Python that has kvpress',
    );
  });

  it('passes on the last words of a worker that ends', async () => {
    const dying = worker(`console.error("ModuleNotFoundError: No module named 'kvpress'"); process.exit(1);`);
    await expect(open(dying)).rejects.toThrow(/exit code 1.*No module named 'kvpress'/);
  });

  it('fails the configuration in flight when the worker is killed', async () => {
    const killed = worker(
      PLAYBACK.replace(
        'const { id, op',
        "if (line.includes('prepare')) process.kill(process.pid, 'SIGKILL');\n  const { id, op",
      ),
    );
    const runner = await open(killed);
    await expect(runner.prepare({ context: 'a', text: 't', queries: ['q'] }, 8)).rejects.toThrow('SIGKILL');
  });
});

describe('names of methods', () => {
  const known = { presses: ['knorm', 'snapkv'], fixedRatios: { int8: 0.5 } };

  it.each([
    ['knorm', { press: 'knorm' }],
    ['int8', { quantizer: 'int8' }],
    ['snapkv+int8', { press: 'snapkv', quantizer: 'int8' }],
  ])('%s', (name, parts) => {
    expect(splitMethod(name, known)).toEqual(parts);
  });

  it.each([
    ['snapvk', 'Did you mean snapkv?'],
    ['knorm+snapkv', 'a press, a plus and a quantizer'],
  ])('refuses %s', (name, message) => {
    expect(() => splitMethod(name, known)).toThrow(message);
  });
});
