import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MooncakeScanner } from '../../src/traces/mooncake-scanner.js';

/** What is scanned of a line: where its newline was found, and its ids as text. */
function scanned(line: string, bytes = Buffer.from(`${line}\n`)) {
  const ids: string[] = [];
  const scanner = new MooncakeScanner({
    pushIds: (column, from, to) => ids.push(...Array.from(column.subarray(from, to), String)),
    pushDigits: (digits) => ids.push(digits),
  });
  scanner.begin(bytes);
  return { end: scanner.scan(0), ids };
}
const lineOf = (list: string) =>
  `{"timestamp": 1, "input_length": 2, "output_length": 3, "hash_ids": [${list}]}`;

/** Ids as logs have them, runs of neighbours, of every number of digits that is told apart. */
const runs = fc.array(
  fc
    .tuple(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 0, max: 99 }), fc.integer({ min: 1, max: 25 }))
    .map(([digits, offset, length]) =>
      Array.from({ length }, (_, i) => String(Math.max(0, 10 ** digits - 50) + offset + i)),
    ),
  { maxLength: 8 },
);
const gaps = fc.array(fc.constantFrom('', '', ' ', '  ', '\t'), { minLength: 1, maxLength: 7 });

describe('ids of a plain line', () => {
  it('are those that JSON has, whatever stands between them', () => {
    fc.assert(
      fc.property(runs, gaps, (lists, gap) => {
        const ids = lists.flat();
        const line = lineOf(
          ids.map((id, i) => gap[i % gap.length] + id + gap[(3 * i + 1) % gap.length]).join(','),
        );
        expect(scanned(line)).toEqual({ end: line.length, ids });
      }),
    );
  });

  it.each([
    '12345,12346x',
    '12345,12346,,12347',
    '12345,012346',
    '12349,1234:',
    '12345,12346.5,12347',
    '12345,12346,',
    '12345,1234\n6',
  ])('are refused where they are not plain: %s', (list) => {
    expect(scanned(lineOf(list)).end).toBe(-1);
  });

  it('are looked for no further than the bytes reach', () => {
    const line = lineOf('123456788,123456789');
    for (let length = 1; length < line.length; length++)
      expect(scanned('', Buffer.from(`${line.slice(0, length)}\n`)).end).toBe(-1);
  });
});
