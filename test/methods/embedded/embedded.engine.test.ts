import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { cacheFolder } from '../../../src/formats/cache-folder.js';
import { readContexts } from '../../../src/formats/contexts.js';
import { readMethods } from '../../../src/formats/methods.js';
import { openEmbeddedRunner } from '../../../src/methods/embedded/runner.js';
import { ModelsUnavailableError } from '../../../src/methods/embedded/unavailable.js';
import type { PreparedContext, Runner } from '../../../src/methods/runner.js';

const SAMPLES = fileURLToPath(new URL('../../../profiles/contexts/samples.ndjson', import.meta.url));
const COMMAND = fileURLToPath(new URL('../../../bin/evicpress.js', import.meta.url));

/** Needs some 220 MB of downloads into the cache folder once; skipped where they cannot be had. */
describe('the real model', async () => {
  const runner = await openEmbeddedRunner('cut', () => undefined).catch((error: unknown) => {
    if (error instanceof ModelsUnavailableError) return undefined;
    throw error;
  });

  describe.skipIf(runner === undefined)('SmolLM2-135M', () => {
    let context: PreparedContext;
    beforeAll(async () => {
      const row = (await readContexts(SAMPLES, 'profiling')).rows.find(
        (each) => each.context === 'swing-bridge-news',
      )!;
      context = await (runner as Runner).prepare(
        { ...row, text: row.text!, queries: row.queries!.slice(0, 3) },
        24,
      );
    });

    it('answers from the text', () => {
      expect(context.referenceAnswers).toHaveLength(3);
      expect(context.fullBytes).toBe(context.tokens * 23040);
      expect(context.referenceAnswers.every((answer) => answer.trim().length > 0)).toBe(true);
    });

    it('gives exactly the same answers from an uncompressed copy', async () => {
      const same = await context.measure({ method: 'keydiff', compressionRatio: 0 });
      expect(same.answers).toEqual(context.referenceAnswers);
      expect(Math.max(...same.klDivergence)).toBeLessThan(1e-4);
      expect(same.tokenAgreement).toEqual([1, 1, 1]);
      expect(same.storedBytes).toBe(context.fullBytes);
    });

    it('loses little to 8 bits, more to 4, and more the more tokens are dropped', async () => {
      const divergence = async (method: string, compressionRatio: number) => {
        const { klDivergence } = await context.measure({ method, compressionRatio });
        return klDivergence.reduce((a, b) => a + b, 0) / klDivergence.length;
      };
      const int8 = await divergence('int8', 0.5);
      const int4 = await divergence('int4', 0.75);
      const half = await divergence('snapkv', 0.5);
      const most = await divergence('snapkv', 0.95);
      expect(int8).toBeLessThan(0.02);
      expect(int4).toBeGreaterThan(int8);
      expect(half).toBeGreaterThan(int8);
      expect(most).toBeGreaterThan(half);
    });

    it('finds sentences alike that say the same', async () => {
      const near = await runner!.similarity('The bridge opens at noon.', 'At noon the bridge opens.');
      const far = await runner!.similarity('The bridge opens at noon.', 'Add two cups of flour to the bowl.');
      expect(near).toBeGreaterThan(0.9);
      expect(far).toBeLessThan(0.3);
      expect(await runner!.similarity('same', 'same')).toBe(1);
    });

    it.each([
      [['--budget', '1ms'], /^evicpress: --budget 1ms is over before anything is measured: no profile/],
      [
        ['--methods', 'snapkv', '--ratios', '0.9'],
        /No configuration could be measured, for the reasons above/,
      ],
      [
        ['--answer-tokens', '100000'],
        /Context "short": its longest query and an answer of 100000 tokens leave/,
      ],
      [['--model', 'foo', '--answer-tokens', '9000'], /^warning: --model is not used by the embedded runner/],
    ])('writes no profile where there is nothing to put in: %j', async (flags, message) => {
      const folder = await mkdtemp(join(tmpdir(), 'evicpress-profile-'));
      try {
        const row = { context: 'short', text: 'The box is red.', queries: ['What is red?'] };
        await writeFile(join(folder, 'short.ndjson'), `${JSON.stringify(row)}\n`);
        const before = 'a profile of before';
        await writeFile(join(folder, 'm.ndjson'), before);
        const { exitCode, stderr } = await execa(
          process.execPath,
          [COMMAND, 'profile', 'methods', '--contexts', 'short.ndjson', ...flags, '-o', 'm.ndjson'],
          { cwd: folder, reject: false, env: { NO_COLOR: '1' } },
        );
        expect(stderr).toMatch(message);
        expect(exitCode).toBe(1);
        expect(await readFile(join(folder, 'm.ndjson'), 'utf8')).toBe(before);
        expect((await readdir(folder)).filter((name) => name.endsWith('.lock'))).toEqual([]);
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    it('reports nothing to anybody: its runtime leaves no trace outside the cache folder', async () => {
      const home = await mkdtemp(join(tmpdir(), 'evicpress-profile-'));
      try {
        const row = { context: 'short', text: 'The box is red.', queries: ['What is red?'] };
        await writeFile(join(home, 'short.ndjson'), `${JSON.stringify(row)}\n`);
        const work = ['profile', 'methods', '--contexts', 'short.ndjson', '--methods', 'int4'];
        const { stderr } = await execa(
          process.execPath,
          [COMMAND, ...work, '--answer-tokens', '4', '-o', 'm.ndjson'],
          {
            cwd: home,
            env: {
              HOME: home,
              XDG_CACHE_HOME: undefined,
              EVICPRESS_CACHE: cacheFolder(),
              ORT_DISABLE_TELEMETRY: undefined,
            },
          },
        );
        expect(stderr).toBe('');
        expect((await readdir(home)).sort()).toEqual(['m.journal.ndjson', 'm.ndjson', 'short.ndjson']);
      } finally {
        await rm(home, { recursive: true });
      }
    });

    it('leaves no lock where it is stopped at once', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'evicpress-profile-'));
      try {
        const run = execa(
          process.execPath,
          [COMMAND, 'profile', 'methods', '--progress', 'json', '--queries', '1', '-o', 'm.ndjson'],
          { cwd: folder, reject: false },
        );
        run.stderr.on('data', (text: Buffer) => {
          if (text.includes('prefill') || text.includes('stopping')) run.kill('SIGINT');
        });
        expect((await run).exitCode).toBe(130);
        expect(await readdir(folder)).toEqual(['m.journal.ndjson']);
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    it('is driven by the command, which resumes after a kill', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'evicpress-profile-'));
      try {
        const flags = ['profile', 'methods', '--max-contexts', '1', '--queries', '1', '--answer-tokens', '8'];
        const work = [
          '--methods',
          'knorm,int8,fp8',
          '--ratios',
          '0.3,0.6',
          '--progress',
          'json',
          '--resume',
          '-o',
          'm.ndjson',
        ];
        const first = execa(process.execPath, [COMMAND, ...flags, ...work], { cwd: folder, reject: false });
        first.stderr.on('data', (text: Buffer) => {
          if (text.includes('"done":2')) first.kill('SIGKILL');
        });
        await first;
        const second = await execa(process.execPath, [COMMAND, ...flags, ...work, '--json'], { cwd: folder });
        const started = second.stderr.split('\n').filter((line) => line.includes('@'));
        expect(started.length).toBeLessThanOrEqual(2);
        const { rows } = await readMethods(join(folder, 'm.ndjson'));
        expect(rows.filter((row) => row.context !== '*')).toHaveLength(4);
        expect(JSON.parse(second.stdout)).toMatchObject({ model: 'smollm2-135m', configurations: 4 });
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  });
});
