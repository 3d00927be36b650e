import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readOnce, requestLine, scratchFolder, testOptions, windowNumbers } from './refreshing.js';

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => requestLine(from + i)).join('');
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('reading what is new in a log', () => {
  it('counts each request once over many turns, and leaves an unfinished line for the next', async () => {
    const options = testOptions(scratchFolder());
    writeFileSync(options.log, lines(0, 3) + requestLine(3).slice(0, 20));
    expect(windowNumbers(options, await readOnce(options))).toEqual([0, 1, 2]);
    expect((await readOnce(options)).newRequests).toBe(0);
    appendFileSync(options.log, requestLine(3).slice(20) + lines(4, 6));
    const read = await readOnce(options);
    expect(read.newRequests).toBe(3);
    expect(windowNumbers(options, read)).toEqual(numbers(0, 6));
    expect(read.state.requests).toEqual({ counted: 6, bad: 0 });
  });

  it.each(['rename', 'rename and compress', 'copy and truncate'])('follows rotation by %s', async (how) => {
    const options = testOptions(scratchFolder());
    writeFileSync(options.log, lines(0, 40));
    await readOnce(options);
    appendFileSync(options.log, lines(40, 50));
    if (how === 'copy and truncate') {
      copyFileSync(options.log, `${options.log}.1`);
      truncateSync(options.log, 0);
    } else renameSync(options.log, `${options.log}.1`);
    if (how === 'rename and compress') {
      writeFileSync(`${options.log}.1.gz`, gzipSync(readFileSync(`${options.log}.1`)));
      unlinkSync(`${options.log}.1`);
    }
    appendFileSync(options.log, lines(50, 55));
    const read = await readOnce(options);
    expect(windowNumbers(options, read)).toEqual(numbers(0, 55));
    expect(read.notes.join()).toContain('rotated');
  });

  it.each([
    ['renamed and made anew', 0],
    ['renamed and made anew', 5],
    ['copied and truncated', 0],
    ['copied and truncated', 5],
    ['truncated', 0],
  ])('says once that an empty log was %s, %i requests unread', async (how, unread) => {
    const options = testOptions(scratchFolder());
    writeFileSync(options.log, lines(0, 40));
    await readOnce(options);
    appendFileSync(options.log, lines(40, 40 + unread));
    if (how === 'copied and truncated') copyFileSync(options.log, `${options.log}.1`);
    if (how === 'renamed and made anew') renameSync(options.log, `${options.log}.1`);
    writeFileSync(options.log, '');
    expect((await readOnce(options)).notes).toHaveLength(1);
    expect((await readOnce(options)).notes).toEqual([]);
    appendFileSync(options.log, lines(40 + unread, 50));
    const read = await readOnce(options);
    expect(read.notes).toEqual([]);
    expect(windowNumbers(options, read)).toEqual(numbers(0, 50));
    // The next time is said again.
    renameSync(options.log, `${options.log}.1`);
    writeFileSync(options.log, lines(50, 55));
    const later = await readOnce(options);
    expect(later.notes.join()).toContain('rotated');
    expect(windowNumbers(options, later)).toEqual(numbers(0, 55));
  });

  it('finds two rotations at once, and a log that is not there for a moment', async () => {
    const options = testOptions(scratchFolder());
    writeFileSync(options.log, lines(0, 10));
    await readOnce(options);
    appendFileSync(options.log, lines(10, 12));
    renameSync(options.log, `${options.log}.2`);
    expect(windowNumbers(options, await readOnce(options))).toEqual(numbers(0, 12));
    writeFileSync(`${options.log}.1`, lines(12, 20));
    writeFileSync(options.log, lines(20, 23));
    expect(windowNumbers(options, await readOnce(options))).toEqual(numbers(0, 23));
  });

  it('goes on exactly where a log was cut off in the middle of a line', async () => {
    const options = testOptions(scratchFolder());
    writeFileSync(options.log, lines(0, 30));
    await readOnce(options);
    truncateSync(options.log, lines(0, 25).length + 17);
    appendFileSync(options.log, `\n${lines(30, 40)}`);
    const read = await readOnce(options);
    expect(windowNumbers(options, read)).toEqual(numbers(0, 40));
    expect(read.notes.join()).toContain('its last 5 lines read are gone');
  });

  it('passes over lines that are no requests, and says where the first is', async () => {
    const options = testOptions(scratchFolder());
    writeFileSync(options.log, `${lines(0, 2)}{"timestamp": tru\n${'['.repeat(50_000)}\n{}\n${lines(2, 4)}`);
    const read = await readOnce(options);
    expect(read.state.requests).toEqual({ counted: 4, bad: 3 });
    expect(read.notes.join()).toContain('log.jsonl:3:');
  });

  it('refuses a log of another format without moving on, so that nothing is lost', async () => {
    const options = testOptions(scratchFolder());
    writeFileSync(options.log, lines(0, 3));
    await readOnce(options);
    appendFileSync(options.log, 'GET / HTTP/1.1\n'.repeat(20));
    await expect(readOnce(options)).rejects.toThrow(/log\.jsonl:4:.*--format/s);
    truncateSync(options.log, lines(0, 3).length);
    appendFileSync(options.log, lines(3, 5));
    expect(windowNumbers(options, await readOnce(options))).toEqual(numbers(0, 5));
  });

  it('forgets the oldest requests, and nothing else', async () => {
    const options = testOptions(scratchFolder(), { window: { requests: 6_000, bytes: 1e9 } });
    for (let turn = 0; turn < 4; turn++) {
      appendFileSync(options.log, lines(4_000 * turn, 4_000 * (turn + 1)));
      await readOnce(options);
    }
    const kept = windowNumbers(options, await readOnce(options));
    expect(kept).toEqual(numbers(16_000 - kept.length, 16_000));
    expect(kept.length).toBeGreaterThanOrEqual(6_000);
    expect(kept.length).toBeLessThan(12_000);
  });

  it('counts every request once, whatever happens to the files between turns', async () => {
    const happenings = fc.array(
      fc.record({
        append: fc.integer({ min: 0, max: 12 }),
        torn: fc.boolean(),
        rotate: fc.constantFrom('none', 'none', 'rename', 'compress', 'copy'),
        read: fc.boolean(),
      }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(happenings, async (steps) => {
        const options = testOptions(scratchFolder());
        let written = 0;
        let files = 0;
        let torn = '';
        writeFileSync(options.log, '');
        for (const step of steps) {
          appendFileSync(options.log, torn + lines(written, written + step.append));
          torn = '';
          written += step.append;
          if (step.rotate !== 'none' && statSync(options.log).size > 0) {
            const old = `${options.log}.${String(100 - files++)}`;
            if (step.rotate === 'copy') {
              copyFileSync(options.log, old);
              truncateSync(options.log, 0);
            } else {
              renameSync(options.log, old);
              writeFileSync(options.log, '');
            }
            if (step.rotate === 'compress') {
              writeFileSync(`${old}.gz`, gzipSync(readFileSync(old)));
              unlinkSync(old);
            }
          } else if (step.torn) {
            const line = requestLine(written++);
            appendFileSync(options.log, line.slice(0, 30));
            torn = line.slice(30);
          }
          if (step.read && (written > 0 || files > 0)) await readQuietly(options);
        }
        appendFileSync(options.log, torn + requestLine(written++));
        const read = await readOnce(options);
        const seen = windowNumbers(options, read);
        // A log whose first file was rotated away before the first turn begins with the current one.
        expect(seen).toEqual(numbers(written - seen.length, written));
        expect(read.state.requests.bad).toBe(0);
      }),
      { numRuns: 25 },
    );
  });
});

async function readQuietly(options: ReturnType<typeof testOptions>): Promise<void> {
  await readOnce(options).catch((error: Error) => {
    if (!error.message.includes('empty')) throw error;
  });
}
