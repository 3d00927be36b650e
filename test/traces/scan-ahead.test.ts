import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readWholeLines } from '../../src/formats/line-batches.js';
import { columnsToBytes } from '../../src/traces/columns-file.js';
import { type LoadOptions, loadTrace } from '../../src/traces/load.js';
import { scanAhead } from '../../src/traces/scan-ahead.js';
import type { Trace } from '../../src/traces/trace.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evicpress-ahead-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const REQUESTS = 5000;
/** Of the requests that the other thread reads. */
const LATE = 4000;

/** A plain line of some two kilobytes: new blocks behind ones that earlier requests have used. */
function plainLine(r: number): string {
  const ids = Array.from({ length: 250 }, (_, k) =>
    k < 150 ? 150 * (r % 40) + k : 10_000_000 + 250 * r + k,
  );
  return `{"timestamp": ${10 * r}, "input_length": ${512 * ids.length}, "output_length": ${r}, "hash_ids": [${ids.join(', ')}]}`;
}

/** A log large enough for two threads, in a plain file, and compressed, which one thread reads. */
function writeLog(change: (lines: string[]) => void, end = '\n'): { plain: string; compressed: string } {
  const lines = Array.from({ length: REQUESTS }, (_, r) => plainLine(r));
  change(lines);
  const text = lines.join('\n') + end;
  const plain = join(folder, 'requests.jsonl');
  writeFileSync(plain, text);
  const compressed = `${plain}.gz`;
  writeFileSync(compressed, gzipSync(text, { level: 1 }));
  return { plain, compressed };
}

/** Quick to say of long logs. */
const isSame = (a: Trace, b: Trace) =>
  Buffer.concat(columnsToBytes(a)).equals(Buffer.concat(columnsToBytes(b)));

const unchanged = () => undefined;

/** With one processor there is no other thread. */
const withTwo = it.runIf(availableParallelism() > 1);

describe('a log that two threads scan', () => {
  it.each<[string, (lines: string[]) => void, string?]>([
    ['plain throughout', unchanged],
    ['without a newline at its end', unchanged, ''],
    ['with blank lines', (lines) => lines.splice(LATE, 0, '', '  ')],
    ['with a label late', (lines) => lines.splice(LATE, 1, lines[LATE]!.replace('}', ', "class": "chat"}'))],
    ['with a label early', (lines) => lines.splice(7, 1, lines[7]!.replace('}', ', "class": "chat"}'))],
    [
      'with a long id',
      (lines) => lines.splice(LATE, 1, lines[LATE]!.replace(']', ', 12345678901234567890]')),
    ],
    ['that goes backwards at the border', (lines) => lines.sort((a, b) => b.length - a.length)],
    [
      'whose blocks all come again',
      (lines) => lines.splice(0, REQUESTS, ...lines.map((_, r) => lines[r % 100]!)),
    ],
  ])('is read as by one thread: %s', async (_, change, end) => {
    const { plain, compressed } = writeLog(change, end);
    const [two, one] = [await loadTrace(plain), await loadTrace(compressed)];
    expect(one.requests).toBe(REQUESTS);
    expect(two.warnings).toEqual(one.warnings);
    expect(isSame(two, one)).toBe(true);
  });

  withTwo('is handed out by the other thread as far as it is plain', async () => {
    const { plain } = writeLog((lines) => lines.splice(LATE, 0, '{"timestamp": 1}'));
    const ahead = (await scanAhead(plain))!;
    let requests = 0;
    for await (const { inputTokens } of ahead.requests()) requests += inputTokens.length;
    await ahead.stop();
    expect(requests).toBeGreaterThan(LATE / 3);
    expect(requests).toBeLessThan(LATE);
    expect(ahead.readTo).toBeGreaterThan(ahead.from);
  });

  withTwo('is the file that it was, whatever takes its place meanwhile', async () => {
    const { plain } = writeLog(unchanged);
    const ahead = (await scanAhead(plain))!;
    writeFileSync(`${plain}.new`, 'another log\n'.repeat(1e6));
    renameSync(`${plain}.new`, plain);
    let requests = 0;
    for await (const { inputTokens } of ahead.requests()) requests += inputTokens.length;
    for await (const bytes of readWholeLines(plain, { lines: 0 }, { fd: ahead.fd, to: ahead.from }))
      requests += bytes.toString().split('\n').length - 1;
    await ahead.stop();
    expect(requests).toBe(REQUESTS);
  });

  it.each([10, LATE])('names the line that does not parse: %i', async (line) => {
    const { plain, compressed } = writeLog((lines) =>
      lines.splice(line - 1, 0, '{"timestamp": 1, "hash_ids": [1]}'),
    );
    await expect(loadTrace(plain)).rejects.toThrow(`requests.jsonl:${line}: input_length`);
    const options: LoadOptions = { skipBad: true };
    const [two, one] = [await loadTrace(plain, options), await loadTrace(compressed, options)];
    expect(two.warnings).toEqual(one.warnings);
    expect(two.warnings.join()).toContain(`line ${line}:`);
    expect(isSame(two, one)).toBe(true);
  });

  it('is left to one thread where it is short, or compressed', async () => {
    const { compressed } = writeLog(unchanged);
    expect(await scanAhead(compressed)).toBeUndefined();
    const short = join(folder, 'short.jsonl');
    writeFileSync(short, `${plainLine(1)}\n`);
    expect(await scanAhead(short)).toBeUndefined();
  });
});
