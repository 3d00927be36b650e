import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EvicpressError } from '../../src/errors.js';
import { PROFILES_FOLDER } from '../../src/formats/bundled.js';
import { readTiers } from '../../src/formats/tiers.js';
import { randomFrom } from '../support/instances.js';
import { mutated } from '../support/mutations.js';
import { outcomeOf, READERS } from '../support/readers.js';

/** Mutated inputs over all readers; the long mode: EVICPRESS_FUZZ=1000000, from another EVICPRESS_FUZZ_SEED. */
const INPUTS = Number(process.env.EVICPRESS_FUZZ ?? 2300);
const ROUNDS = Math.ceil(INPUTS / READERS.length);
const SEED = Number(process.env.EVICPRESS_FUZZ_SEED ?? 1);
const LONG = process.env.EVICPRESS_FUZZ !== undefined;
/** Memory is faster than a disk for a million small files. */
const FOLDER = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'evicpress-fuzz-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

const folderOf = (name: string) => mkdtempSync(join(FOLDER, `${name.replace(/\W/g, '-')}-`));

/** A clear error: one of ours, short, without a control character but newlines. */
function expectClear(outcome: unknown, input: string): void {
  if (!(outcome instanceof Error)) return;
  expect(outcome, `${outcome.stack}\n${input}`).toBeInstanceOf(EvicpressError);
  expect((outcome as EvicpressError).exitCode, input).toBe(1);
  expect(outcome.message, input).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  expect(outcome.message.length, input).toBeLessThan(2000);
}

describe('readers of hostile files', () => {
  it.each(READERS)(
    '$name: a value or one clear error, never a crash',
    { timeout: 60_000 + 60 * ROUNDS },
    async (reader) => {
      const folder = folderOf(reader.name);
      const valid = await outcomeOf(reader, reader.valid, folder);
      expect(valid, String(valid)).not.toBeInstanceOf(Error);
      const random = randomFrom(SEED);
      for (let round = 0; round < ROUNDS; round++) {
        const bytes = mutated(reader.valid, random);
        expectClear(
          await outcomeOf(reader, bytes, folder),
          `round ${round} of seed ${SEED}: ${JSON.stringify(bytes.toString('latin1').slice(0, 600))}`,
        );
      }
      rmSync(folder, { recursive: true, force: true });
    },
  );

  it('refuse text nested a hundred thousand deep with one clear error', { timeout: 300_000 }, async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const texts = [deep, `{"context":${deep}}`, `{"timestamp":${deep}}`, `{"version":${deep}}`, `a: ${deep}`];
    for (const reader of READERS.filter(({ file }) => !file.endsWith('.gz')))
      for (const text of texts)
        expectClear(await outcomeOf(reader, Buffer.from(`${text}\n`), folderOf('deep')), reader.name);
  });

  it.skipIf(!LONG)(
    'refuse a line of two gigabytes within bounded memory',
    { timeout: 1_800_000 },
    async () => {
      const peaks: Record<string, number> = {};
      for (const reader of READERS.filter(({ file }) => !file.endsWith('.gz'))) {
        const folder = folderOf('long');
        const path = join(folder, reader.file);
        await outcomeOf(reader, Buffer.alloc(0), folder);
        writeFileSync(path, '{"context": "');
        truncateSync(path, 2e9);
        const before = process.memoryUsage().rss;
        let peak = 0;
        const watch = setInterval(() => {
          peak = Math.max(peak, process.memoryUsage().rss - before);
        }, 20);
        const outcome = await reader.read(path, folder).catch((error: unknown) => error);
        clearInterval(watch);
        expectClear(outcome, reader.name);
        peaks[reader.name] = Math.round(peak / 1e6);
        rmSync(folder, { recursive: true, force: true });
      }
      console.log('MB of memory at most, on a line of 2 GB:', peaks);
      expect(Math.max(...Object.values(peaks))).toBeLessThan(1500);
    },
  );

  it('take a prototype key for any other key', async () => {
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
