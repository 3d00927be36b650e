import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { planPieces, readPlan } from '../../src/formats/plan.js';
import { freshState } from '../../src/workflows/refresh/state.js';
import { refreshTurn } from '../../src/workflows/refresh/turn.js';
import { HEADER } from '../support/readers.js';
import { scratchFolder, testInputs, testOptions, testTools } from '../workflows/refreshing.js';
import { OFFICE, requestLines } from '../workflows/workload.js';

it.each(['../../etc', '/etc', '..', 'a/b', 'a\u0000b'])(
  'a plan with a tier named %j is refused: the name becomes a part of paths',
  async (name) => {
    const path = join(scratchFolder(), 'plan.ndjson');
    writeFileSync(path, [...planPieces({ ...HEADER, tiers: [{ ...HEADER.tiers[0]!, name }] }, [])].join(''));
    await expect(readPlan(path)).rejects.toThrow(/expected a name of letters/);
  },
);

it('a state whose files lie elsewhere is taken for damaged, and those files are left alone', async () => {
  const folder = scratchFolder();
  const options = testOptions(folder);
  writeFileSync(options.log, requestLines(OFFICE, 20));
  const outside = join(folder, '000001.jsonl');
  writeFileSync(outside, requestLines(OFFICE, 5));
  mkdirSync(options.folder);
  const files = [{ name: '../../000001.jsonl', bytes: 10, requests: 5 }];
  const state = { ...freshState(options.log), window: { files, nextFile: 2 } };
  writeFileSync(join(options.folder, 'state.json'), JSON.stringify(state));
  const { newRequests } = await refreshTurn(options, testTools(testInputs));
  expect(newRequests).toBe(20);
  expect(readFileSync(outside, 'utf8')).toBe(requestLines(OFFICE, 5));
});
