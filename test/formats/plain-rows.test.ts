import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlainRows } from '../../src/formats/plain-rows.js';

interface Row {
  id: string;
  kind: string;
  amount: number;
  share: number;
}

const any = () => true;
const parser = () =>
  new PlainRows<Row>(['id'], {
    id: { holds: 'id', test: any },
    kind: { holds: 'name', test: any },
    amount: { holds: 'number', test: any },
    share: { holds: 'number', test: (share) => (share as number) <= 100 },
  });
const parsed = (text: string) => {
  const bytes = Buffer.from(`{"before":1}\n${text}\n{"after":1}`);
  return parser().parse(bytes, 13, 13 + Buffer.byteLength(text));
};

const names = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('dram', 'ssd', '', 'a"b', 'ü', '\\'));
const numbers = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.nat(),
  fc.constantFrom(0, 0.1, 1e21, 1e-7, 123456789012345, 1234567890123456, 0.1 + 0.2),
);
const rows = fc.record(
  { id: names, kind: names, amount: numbers, share: numbers },
  { requiredKeys: [], noNullPrototype: true },
);

describe('PlainRows', () => {
  it('gives what JSON.parse gives, or nothing', () => {
    let plain = 0;
    fc.assert(
      fc.property(rows, fc.constantFrom(0, 1), (row, spaces) => {
        // Python's writer leaves a space after each colon and comma.
        const json = JSON.stringify(row, null, spaces).replaceAll('\n', '');
        const read = parsed(json);
        if (read === undefined) return;
        plain++;
        expect(read).toEqual(JSON.parse(json));
        expect(Object.keys(read)).toEqual(Object.keys(row));
      }),
      { numRuns: 2000, seed: 1 },
    );
    expect(plain).toBeGreaterThan(100);
  });

  it('takes the ordinary rows of a file', () => {
    expect(parsed('{"id":"a","kind":"dram","amount":0.125,"share":12}')).toEqual({
      id: 'a',
      kind: 'dram',
      amount: 0.125,
      share: 12,
    });
    expect(parsed('{"id": "a", "amount": 0.30000000000000004}\r')).toEqual({
      id: 'a',
      amount: 0.30000000000000004,
    });
  });

  it.each([
    ['another field', '{"id":"a","more":1}'],
    ['a field twice', '{"id":"a","id":"b"}'],
    ['an escape', '{"id":"a\\n"}'],
    ['letters beyond ASCII', '{"id":"ä"}'],
    ['a negative number', '{"id":"a","amount":-1}'],
    ['an exponent', '{"id":"a","amount":1e5}'],
    ['a zero before digits', '{"id":"a","amount":01}'],
    ['no digit after the dot', '{"id":"a","amount":1.}'],
    ['no digit before the dot', '{"id":"a","amount":.5}'],
    ['null', '{"id":"a","amount":null}'],
    ['a list', '[1]'],
    ['text after the end', '{"id":"a"} 1'],
    ['a comma at the end', '{"id":"a",}'],
    ['no end', '{"id":"a"'],
    ['a string without end', '{"id":"a}'],
    ['an empty object', '{}'],
    ['an empty line', ''],
    ['a required field that is missing', '{"kind":"a"}'],
    ['a value that is not as it must be', '{"id":"a","share":101}'],
  ])('leaves %s to the caller', (_, text) => {
    expect(parsed(text)).toBeUndefined();
  });
});
