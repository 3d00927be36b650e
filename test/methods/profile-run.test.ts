import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Metric, readMethods, writeMethods } from '../../src/formats/methods.js';
import { listConfigurations } from '../../src/methods/configurations.js';
import { type JournalEntry, openJournal } from '../../src/methods/journal.js';
import { buildProfile } from '../../src/methods/profile.js';
import { type ProfileRun, runProfile } from '../../src/methods/profile-run.js';
import { ContextFailure } from '../../src/methods/runner.js';
import { configurations, contexts, fakeRunner } from './fake-runner.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evicpress-journal-'));
  path = join(folder, 'run', 'methods.journal.ndjson');
});
afterEach(() => rm(folder, { recursive: true }));

async function profile(resume: boolean, fake = fakeRunner(), options: Partial<ProfileRun> = {}) {
  const journal = await openJournal(path, resume);
  try {
    const base = { contexts, configurations, maxAnswerTokens: 8, signal: new AbortController().signal };
    const silent = { onProgress: () => undefined, onWarning: () => undefined };
    return await runProfile({ answers: 'all', ...base, ...silent, runner: fake.runner, journal, ...options });
  } finally {
    await journal.close();
  }
}

const run = async (...args: Parameters<typeof profile>) => (await profile(...args)).entries;

/** The rows of a whole run of the fake runner. */
const rowsOf = (entries: readonly JournalEntry[], metric: Metric) =>
  buildProfile({ runner: fakeRunner().runner, contexts, configurations, metrics: [metric] }, { entries })
    .rows;

describe('a profiling run', () => {
  it('prefills every context once and measures every configuration', async () => {
    const fake = fakeRunner();
    const entries = await run(false, fake);
    expect(entries).toHaveLength(9);
    expect(fake.calls.filter((call) => call.startsWith('prepare'))).toEqual([
      'prepare a',
      'prepare b',
      'prepare c',
    ]);
    expect(fake.calls).toHaveLength(12);
  });

  it('measures several configurations at once where the runner can', async () => {
    const fake = fakeRunner();
    const groups: number[] = [];
    const entries = await run(false, {
      ...fake,
      runner: {
        ...fake.runner,
        together: 2,
        prepare: async (...args) => {
          const prepared = await fake.runner.prepare(...args);
          return {
            ...prepared,
            measureTogether: async (configurations, wanted) => {
              groups.push(configurations.length);
              const [first, ...others] = configurations;
              const failed = others.map(() => new ContextFailure('no room'));
              return [await prepared.measure(first!, wanted), ...failed];
            },
          };
        },
      },
    });
    expect(groups).toEqual([2, 1, 2, 1, 2, 1]);
    expect(entries.map((entry) => entry.failed)).toEqual(
      [...contexts].flatMap(() => [undefined, 'no room', undefined]),
    );
  });

  it('writes down what was measured at once as each is compared, not when all are', async () => {
    const fake = fakeRunner();
    let compared = 0;
    const together = {
      ...fake.runner,
      together: 3,
      similarity: async (_: string, candidate: string) => {
        // The first configuration of the first context has two answers; the third answer is of the second.
        if (++compared > 2) throw new Error('killed');
        return Number(candidate);
      },
    };
    await expect(run(false, { ...fake, runner: together })).rejects.toThrow('killed');
    const again = fakeRunner();
    await run(true, again);
    expect(again.calls).not.toContain(
      `a ${configurations[0]!.method}@${configurations[0]!.compressionRatio}`,
    );
    expect(again.calls).toHaveLength(3 + 8);
  });

  it('goes on after a kill with nothing but what is missing', async () => {
    const whole = await run(false);
    const lines = (await readFile(path, 'utf8')).split('\n');
    for (let keep = 0; keep < lines.length; keep++) {
      // Killed in the middle of a line: the header and `keep` lines are whole, the next one is torn.
      await writeFile(
        path,
        lines
          .slice(0, keep)
          .map((line) => `${line}\n`)
          .join('') + (lines[keep] ?? '').slice(0, 20),
      );
      const fake = fakeRunner();
      expect(await run(true, fake)).toEqual(whole);
      expect(fake.calls.filter((call) => call.includes('@'))).toHaveLength(9 - Math.max(0, keep - 1));
    }
  });

  it('starts anew without --resume', async () => {
    await run(false);
    const fake = fakeRunner();
    await run(false, fake);
    expect(fake.calls).toHaveLength(12);
  });

  it('measures again what was measured with other queries', async () => {
    await run(false);
    const fake = fakeRunner();
    const other = contexts.map((context) => ({ ...context, queries: ['another'] }));
    await run(true, fake, { contexts: other.slice(0, 1) });
    expect(fake.calls).toHaveLength(4);
  });

  it('stops between two configurations when interrupted, and resumes', async () => {
    const controller = new AbortController();
    const interrupted = fakeRunner((_, { compressionRatio }) => {
      if (compressionRatio === 0.9) controller.abort();
    });
    const stopped = run(false, interrupted, { signal: controller.signal });
    await expect(stopped).rejects.toMatchObject({
      exitCode: 130,
      message: expect.stringContaining('--resume'),
    });
    const fake = fakeRunner();
    expect(await run(true, fake)).toHaveLength(9);
    expect(fake.calls.filter((call) => call.includes('@'))).toHaveLength(7);
  });

  it('records a configuration that a context is too short for, and goes on', async () => {
    const warnings: string[] = [];
    const entries = await run(false, fakeRunner(), {
      configurations: [{ method: 'broken', compressionRatio: 0.5 }, ...configurations],
      onWarning: (text) => warnings.push(text),
    });
    expect(entries).toHaveLength(12);
    expect(warnings[0]).toBe('a, broken@0.5: too short');
    expect(rowsOf(entries, 'answer-similarity').some((row) => row.method === 'broken')).toBe(false);
  });

  it('lets a defect of the runner through instead of recording it', async () => {
    const fake = fakeRunner(() => {
      throw new TypeError('a bug');
    });
    await expect(run(false, fake)).rejects.toThrow(TypeError);
  });

  it('measures a part under a budget, all of it worth something, and nothing when there is no time', async () => {
    const fake = fakeRunner();
    // Between ratios .5 and .54 the quality falls by .02: what lies there is not worth a measurement.
    const fine = [0.5, 0.51, 0.52, 0.53, 0.54].map((ratio) => ({ method: 'drop', compressionRatio: ratio }));
    const entries = await run(false, fake, {
      configurations: fine,
      budgetSeconds: 60,
      answers: 'none',
    });
    expect(entries.length).toBeGreaterThanOrEqual(contexts.length);
    expect(entries.length).toBeLessThan(5 * contexts.length);
    expect(entries.every((entry) => entry.measurement !== undefined)).toBe(true);
    const none = fakeRunner();
    expect(await run(false, none, { budgetSeconds: 0 })).toEqual([]);
    expect(none.calls).toEqual([]);
  });

  it('does not ask again, under a budget, for what has failed', async () => {
    const entries = await run(false, fakeRunner(), {
      configurations: [{ method: 'broken', compressionRatio: 0.5 }, ...configurations],
      budgetSeconds: 60,
    });
    expect(entries.filter((entry) => entry.failed !== undefined)).toHaveLength(3);
  });

  it('tells how far it is', async () => {
    const events: string[] = [];
    await run(false, fakeRunner(), { onProgress: ({ done, total }) => events.push(`${done}/${total}`) });
    expect(events[0]).toBe('0/9');
    expect(events.at(-1)).toBe('9/9');
  });
});

describe('the journal', () => {
  it('ends at the first damaged line', async () => {
    await run(false);
    await appendFile(path, 'not json\n{"method":"late","context":"a"}\n');
    const journal = await openJournal(path, true);
    expect(journal.entries).toHaveLength(9);
    expect(journal.lostLines).toBe(2);
    await journal.close();
    expect((await readFile(path, 'utf8')).trimEnd().split('\n')).toHaveLength(10);
  });
});

describe('a journal whose last line was cut short', () => {
  it('has lost nothing that was whole', async () => {
    await run(false);
    await appendFile(path, '{"method":"late","con');
    const journal = await openJournal(path, true);
    expect(journal.entries).toHaveLength(9);
    expect(journal.lostLines).toBe(0);
    await journal.close();
  });
});

describe('the rows', () => {
  it('are one per context and configuration, then pooled by class and over all, and read back', async () => {
    const rows = rowsOf(await run(false), 'answer-similarity');
    expect(
      rows
        .map(({ context, class: name }) => `${context} ${name}`)
        .filter((key, i, all) => all.indexOf(key) === i),
    ).toEqual(['a x', 'b x', 'c y', '* x', '* y', '* undefined']);
    const row = rows.find(({ context, method }) => context === 'a' && method === 'quant')!;
    // Two queries: 1 − .75/2 and 1 − .75/3.
    expect(row.quality).toBeCloseTo(0.6875, 6);
    expect(row.qualityStdError).toBeCloseTo(0.0625, 6);
    expect(row).toMatchObject({
      queries: 2,
      storedBytes: 1250,
      fullBytes: 5000,
      tokenAgreement: 0.625,
      klDivergence: 0.75,
    });
    const pooled = rows.find(
      (other) => other.context === '*' && other.class === undefined && other.method === 'quant',
    )!;
    // Contexts a and b: .6875 each; c: .625.
    expect(pooled.quality).toBeCloseTo(2 / 3, 5);
    expect(pooled.qualityStdError).toBeCloseTo(0.0625 / 3, 5);
    expect(pooled).toMatchObject({ queries: 5, contexts: 3 });
    expect(pooled.storedBytes / pooled.fullBytes).toBeCloseTo(0.25, 3);

    const file = join(folder, 'methods.ndjson');
    await writeMethods(file, { model: 'fake' }, rows);
    expect((await readMethods(file)).rows).toEqual(JSON.parse(JSON.stringify(rows)));
  });

  it('can take token agreement for the quality', async () => {
    const rows = rowsOf(await run(false), 'token-agreement');
    expect(rows.every((row) => row.quality === row.tokenAgreement && row.metric === 'token-agreement')).toBe(
      true,
    );
  });
});

describe('configurations', () => {
  const { runner } = fakeRunner();

  it('give a quantizer its one ratio and a combination only what its quantizer leaves', () => {
    const list = listConfigurations(runner, ['drop', 'quant', 'drop+quant'], [0.9, 0.5]);
    expect(list.map(({ method, compressionRatio }) => `${method}@${compressionRatio}`)).toEqual([
      'drop@0.5',
      'drop@0.9',
      'quant@0.75',
      'drop+quant@0.9',
    ]);
  });

  it.each([0, 1, -0.5, Number.NaN])('refuse the ratio %f', (ratio) => {
    expect(() => listConfigurations(runner, ['drop'], [ratio])).toThrow('not the fraction to remove');
  });

  it('say when a combination is left without a ratio', () => {
    expect(() => listConfigurations(runner, ['drop+quant'], [0.5])).toThrow('no ratio given is above that');
  });
});
