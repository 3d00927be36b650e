import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TraceCache } from '../../src/traces/cache.js';
import { columnsToBytes, traceFromColumns } from '../../src/traces/columns-file.js';
import { type Keep, loadTrace } from '../../src/traces/load.js';
import { spansOf } from '../../src/traces/spans.js';
import type { Trace } from '../../src/traces/trace.js';
import { bundledLog, traceOf } from './logs.js';

let folder = '';
let cacheFolder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evicpress-columns-'));
  cacheFolder = join(folder, 'cache');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A log long enough to be cached, with ids of every kind: small, beyond 2^53, text. */
function writeLog(name = 'requests.jsonl', first = 0): string {
  const path = join(folder, name);
  const line = (r: number) =>
    `{"timestamp": ${r}, "input_length": 1536, "output_length": 1, "hash_ids": [${first + (r % 50)}, 1234567890123456789${r % 7}, "tail-${r}"], "class": "c${r % 3}"}`;
  writeFileSync(path, `${Array.from({ length: 6000 }, (_, r) => line(r)).join('\n')}\n`);
  return path;
}

const entries = () =>
  readdirSync(cacheFolder)
    .filter((name) => name.endsWith('.columns'))
    .map((name) => join(cacheFolder, name));
const COLUMNS = ['blocks', 'blockOffsets', 'tokensOfBlock', 'classOf', 'sessionOf', 'tenantOf'] as const;
/** What is kept of a trace, quick to compare. */
const bytesOf = (trace: Trace) => Buffer.concat(columnsToBytes(trace));
const raw = ({ buffer, byteOffset, byteLength }: Int32Array | Float64Array) =>
  Buffer.from(buffer, byteOffset, byteLength);
const expectSame = (a: Trace, b: Trace) => {
  expect(bytesOf(a).equals(bytesOf(b))).toBe(true);
  expect(a.blockIds.join()).toBe(b.blockIds.join());
  // Not every column lies in the file as it is.
  for (const name of COLUMNS) expect(raw(a[name]).equals(raw(b[name])), name).toBe(true);
};

describe('columns as bytes', () => {
  it.each([
    ['a real log', bundledLog],
    [
      'documents with classes',
      async () =>
        traceOf(
          [
            { documents: { a: 5, b: 7 }, class: 'x' },
            { documents: { b: 7 }, class: 'ü' },
          ],
          'documents',
        ),
    ],
  ])('give back %s', async (_, make) => {
    const trace = await make();
    const read = traceFromColumns(bytesOf(trace))!;
    expectSame(read, trace);
    expect(Object.keys(read).sort()).toEqual(Object.keys(trace).sort());
    // The spans come from the file; those of a copy are found anew.
    expect(spansOf(read)).toEqual(spansOf({ ...read }));
  });

  it('are refused where any byte differs or any is missing', () => {
    const bytes = Buffer.concat(columnsToBytes(traceOf([{ blocks: ['a', 'b'] }, { blocks: ['a'] }])));
    expect(traceFromColumns(Buffer.alloc(bytes.length))).toBeUndefined();
    for (let at = 0; at < bytes.length; at++) {
      expect(traceFromColumns(bytes.subarray(0, at))).toBeUndefined();
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x10;
      const read = traceFromColumns(damaged);
      // Padding holds nothing.
      if (read !== undefined) expect(bytes[at]).toBe(0);
    }
  });
});

describe('the cache of parsed logs', () => {
  it('gives what parsing gives, and parses once', async () => {
    const path = writeLog();
    const parsed = await loadTrace(path);
    expectSame(await loadTrace(path, { cacheFolder }), parsed);
    const [entry] = entries();
    const written = readFileSync(entry!);
    expectSame(await loadTrace(path, { cacheFolder }), parsed);
    expect(entries()).toEqual([entry]);
    expect(readFileSync(entry!).equals(written)).toBe(true);
  });

  it('is written when its reader says so, once, beside what else is done', async () => {
    const path = writeLog();
    const keeps: Keep[] = [];
    const onParsed = (keep: Keep) => keeps.push(keep);
    const parsed = await loadTrace(path, { cacheFolder, onParsed });
    expect(existsSync(cacheFolder) ? entries() : []).toEqual([]);
    const [keep] = keeps;
    const begun = await Promise.all([keep!(), keep!()]);
    expect(begun[1]).toBe(begun[0]);
    expect(await begun[0].kept).toBeUndefined();
    const [entry] = entries();
    expect(readFileSync(entry!).equals(bytesOf(parsed))).toBe(true);
    // Read from the cache, nothing is to be kept.
    expectSame(await loadTrace(path, { cacheFolder, onParsed }), parsed);
    expect(keeps).toHaveLength(1);
    const other = await loadTrace(path, { cacheFolder: join(path, 'cache'), onParsed });
    expect(other.warnings).toEqual([]);
    expect(await (await keeps[1]!()).kept).toMatch(/cannot be written \(E[A-Z]+\)/);
  });

  it('knows logs by content and by how they are read, not by name', async () => {
    const path = writeLog();
    await loadTrace(path, { cacheFolder });
    await loadTrace(writeLog('copy.jsonl'), { cacheFolder });
    expect(entries()).toHaveLength(1);
    await loadTrace(path, { cacheFolder, blockTokens: 256 });
    expect(entries()).toHaveLength(2);
    const changed = await loadTrace(writeLog('requests.jsonl', 1000), { cacheFolder });
    expect(changed.blockIds[0]).toBe('1000');
    expect(entries()).toHaveLength(3);
  });

  it('reads a log again whose content, size or time changed, and only such a one', async () => {
    const path = writeLog();
    const old = new Date(Date.now() - 3_600_000);
    utimesSync(path, old, old);
    await loadTrace(path, { cacheFolder });
    const seen = () => readdirSync(cacheFolder).filter((name) => name.endsWith('.seen'));
    expect(seen()).toHaveLength(1);
    await loadTrace(path, { cacheFolder });
    expect(entries()).toHaveLength(1);
    // As long as before, and as old: the file system still knows that it was written to.
    writeFileSync(path, readFileSync(path, 'utf8').replace('tail-17', 'TAIL-17'));
    utimesSync(path, old, old);
    const changed = await loadTrace(path, { cacheFolder });
    expect(changed.blockIds).toContain('TAIL-17');
    expect(entries()).toHaveLength(2);
  });

  it('makes a damaged or torn entry anew', async () => {
    const path = writeLog();
    const parsed = await loadTrace(path, { cacheFolder });
    const [entry] = entries();
    const written = readFileSync(entry!);
    const damaged = Buffer.from(written);
    damaged[damaged.length - 20]! ^= 1;
    for (const spoil of [() => writeFileSync(entry!, damaged), () => truncateSync(entry!, 1000)]) {
      spoil();
      expectSame(await loadTrace(path, { cacheFolder }), parsed);
      expect(readFileSync(entry!).equals(written)).toBe(true);
    }
  });

  it.each<[string, () => string]>([
    ['a file in its place', () => join(cacheFolder, 'a file')],
    // Of every new name there the system says that it does not exist.
    ...(existsSync('/proc/self')
      ? [['in /proc', () => '/proc/evicpress/logs'] as [string, () => string]]
      : []),
  ])('does without a folder that cannot be written, and says so once: %s', async (_, unwritable) => {
    const path = writeLog();
    writeFileSync(cacheFolder, '');
    const [first, second] = [
      await loadTrace(path, { cacheFolder: unwritable() }),
      await loadTrace(path, { cacheFolder: unwritable() }),
    ];
    expectSame({ ...first, warnings: [] }, await loadTrace(path));
    expect(first.warnings.join()).toMatch(/cannot be written \(E[A-Z]+\)\. Name another.*EVICPRESS_CACHE/);
    expect(second.warnings).toEqual([]);
  });

  it('keeps to its size: what was used longest ago goes first', async () => {
    const trace = await loadTrace(writeLog());
    const size = Buffer.concat(columnsToBytes(trace)).length;
    const cache = new TraceCache(cacheFolder, 2.5 * size);
    const at = (name: string) => join(cacheFolder, `${name}.columns`);
    for (const name of ['a', 'b']) {
      await cache.write(at(name), trace);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await cache.read(at('a'));
    await cache.write(at('c'), trace);
    expect(entries().sort()).toEqual([at('a'), at('c')]);
    expect(entries().reduce((sum, path) => sum + statSync(path).size, 0)).toBeLessThanOrEqual(2.5 * size);
    await new TraceCache(cacheFolder, size).write(at('d'), trace);
    expect(entries()).not.toContain(at('d'));
  });

  it('leaves small logs alone', async () => {
    const path = join(folder, 'small.jsonl');
    writeFileSync(path, '{"timestamp": 0, "input_length": 5, "output_length": 1, "hash_ids": [1]}\n');
    await loadTrace(path, { cacheFolder });
    expect(() => entries()).toThrow();
  });
});
