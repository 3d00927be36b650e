import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { EvicpressError } from '../../src/errors.js';
import { type MethodRow, readMethods } from '../../src/formats/methods.js';
import { reprofiledPath } from '../../src/workflows/refresh/reprofile.js';
import { refreshTurn } from '../../src/workflows/refresh/turn.js';
import { scratchFolder, testInputs, testOptions, testTools } from './refreshing.js';
import { OFFICE, requestLines } from './workload.js';

const ROW: MethodRow = {
  context: '*',
  fullBytes: 1e9,
  method: 'int4',
  compressionRatio: 0.75,
  storedBytes: 0.25e9,
  quality: 0.9,
  queries: 20,
};
const inputs = () =>
  testInputs({
    methods: [ROW],
    files: ['tiers.json', 'methods.ndjson'].map((path) => ({ path, sha256: path })),
  });

/** A world whose answers are worth 0.5 online, twelve of them, without a ratio as a quantizer is written. */
function drifted() {
  const folder = scratchFolder();
  const options = testOptions(folder, { samples: join(folder, 'samples.ndjson'), budgetSeconds: 40 });
  writeFileSync(options.log, requestLines(OFFICE, 60));
  writeFileSync(options.samples!, '{"method":"int4","quality":0.5,"context":"a"}\n'.repeat(12));
  const asked: { points: unknown; contexts: readonly string[]; seconds: number }[] = [];
  const tools = (quality: number) =>
    testTools(inputs, {
      profileMethods: async (points, contexts, _, seconds) => {
        asked.push({ points, contexts, seconds });
        return [{ ...ROW, quality }];
      },
    });
  return { options, asked, tools };
}

const qualityOf = (result: Awaited<ReturnType<typeof refreshTurn>>) =>
  result.drift.find(({ check }) => check === 'quality');

it('profiles anew what drifted, within the budget, and believes it from then on', async () => {
  const { options, asked, tools } = drifted();
  expect(qualityOf(await refreshTurn(options, tools(0.5)))).toMatchObject({ drifted: true });
  expect(asked).toMatchObject([{ points: [{ method: 'int4', compressionRatio: 0.75 }] }]);
  expect(asked[0]!.contexts).toContain('a');
  expect(asked[0]!.seconds).toBeLessThanOrEqual(40);
  expect((await readMethods(reprofiledPath(options.folder))).rows).toMatchObject([{ quality: 0.5 }]);
  expect(statSync(reprofiledPath(options.folder)).mode & 0o777).toBe(0o600);
  const next = await refreshTurn({ ...options, resume: true }, tools(0.5));
  expect(qualityOf(next)).toMatchObject({ drifted: false });
  expect(asked.length).toBe(1);
});

it('does not measure again at once what measuring did not explain', async () => {
  const { options, asked, tools } = drifted();
  for (let turn = 0; turn < 3; turn++)
    expect(qualityOf(await refreshTurn({ ...options, resume: true }, tools(0.9)))).toMatchObject({
      drifted: true,
    });
  expect(asked.length).toBe(1);
});

it('goes on without, and says why, where it cannot be done; never in a dry run', async () => {
  const { options, asked, tools } = drifted();
  await refreshTurn({ ...options, dryRun: true }, tools(0.5));
  expect(asked).toEqual([]);
  const unable = testTools(inputs, {
    profileMethods: async () => {
      throw new EvicpressError('No contexts given.');
    },
  });
  expect((await refreshTurn(options, unable)).outcome).toBe('published');
  expect(unable.told.join()).toContain('int4@0.75 could not be profiled anew: No contexts given.');
  expect(existsSync(reprofiledPath(options.folder))).toBe(false);
});
