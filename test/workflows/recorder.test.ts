import { appendFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { formats } from '../../src/traces/index.js';
import { loadTrace } from '../../src/traces/load.js';
import type { Trace } from '../../src/traces/trace.js';
import { sampleLog, sampleLogs } from '../traces/every-format.js';
import { readOnce, requestLine, scratchFolder, testOptions } from './refreshing.js';

/** Which requests share which blocks, by the order in which blocks appear; and how many tokens they have. */
const sharing = ({ blocks, blockOffsets, tokensOfBlock, inputTokens }: Trace) => ({
  blocks: [...blocks],
  blockOffsets: [...blockOffsets],
  tokensOfBlock: [...tokensOfBlock],
  inputTokens: [...inputTokens],
});

it('samples exist of every format', () => {
  expect(Object.keys(sampleLogs).sort()).toEqual(formats.map(({ name }) => name).sort());
});

it.each(formats)('a log as $name means the same read in turns and at once', async ({ name }) => {
  const options = testOptions(scratchFolder());
  const whole = sampleLog(name, 12);
  const cuts = [whole.length / 3, whole.length / 2, whole.length].map(Math.floor);
  cuts.reduce((from, to) => {
    appendFileSync(options.log, whole.slice(from, to));
    return to;
  }, 0);
  const atOnce = await loadTrace(options.log);
  writeFileSync(options.log, '');
  let read = undefined as Awaited<ReturnType<typeof readOnce>> | undefined;
  let from = 0;
  for (const to of cuts) {
    appendFileSync(options.log, whole.slice(from, to));
    from = to;
    read = await readOnce(options);
  }
  expect(read!.state.requests).toEqual({ counted: 12, bad: 0 });
  const inTurns = await read!.trace();
  expect(sharing(inTurns!)).toEqual(sharing(atOnce));
  expect(inTurns!.engineKeys).toEqual(atOnce.engineKeys);
});

it.each([
  [
    'that the log says',
    (n: number, size: number) =>
      `${JSON.stringify({ timestamp: n, chunk_size: size, seq_len: 2 * size, chunk_hashes: ['0x1', `0x${n}`] })}\n`,
  ],
  [
    'that lengths tell',
    (n: number, size: number) =>
      `${JSON.stringify({ timestamp: n, input_length: 2 * size + 9, hash_ids: [1, 2, n] })}\n`,
  ],
])('a block size %s, once changed, makes a fresh start', async (_, line) => {
  const options = testOptions(scratchFolder());
  const some = (from: number, size: number) =>
    Array.from({ length: 30 }, (_, i) => line(from + i, size)).join('');
  writeFileSync(options.log, some(0, 512));
  expect((await readOnce(options)).state.log.blockTokens).toBe(512);
  appendFileSync(options.log, some(30, 512));
  expect((await readOnce(options)).window.requests).toBe(60);
  appendFileSync(options.log, some(60, 64));
  const changed = await readOnce(options);
  expect(changed.notes.join()).toContain('of 64 tokens now, of 512 before');
  expect([changed.window.requests, changed.state.log.blockTokens]).toEqual([0, 64]);
  expect(changed.state.requests.counted).toBe(90);
  appendFileSync(options.log, some(90, 64));
  expect((await readOnce(options)).window.requests).toBe(30);
});

it('odd lengths here and there are no other block size', async () => {
  const options = testOptions(scratchFolder());
  for (let turn = 0; turn < 3; turn++) {
    const lines = Array.from({ length: 25 }, (_, i) => requestLine(25 * turn + i, [5]));
    appendFileSync(options.log, lines.join(''));
    expect((await readOnce(options)).window.requests).toBe(25 * (turn + 1));
  }
});
