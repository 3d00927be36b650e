import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/random.js';
import { ascending } from '../../src/replay/ascending.js';

/** Bit by bit, and quick to say. */
const isSame = (a: Float64Array, b: Float64Array) => Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
const bytesOf = (values: Float64Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

describe('numbers in order', () => {
  it.each([0, 1, 1000, 100_000])('are those of sort: %i of all magnitudes, with ties and zeros', (count) => {
    const random = seededRandom(count);
    const values = Float64Array.from({ length: count }, (_, i) =>
      i % 5 === 0 ? 0 : Math.floor(50 * random()) * 10 ** Math.floor(600 * random() - 300),
    );
    const before = values.slice();
    const sorted = ascending(values);
    expect(isSame(sorted, values.slice().sort())).toBe(true);
    expect(isSame(values, before)).toBe(true);
    expect(isSame(ascending(sorted), sorted)).toBe(true);
  });

  it('are those of sort where many differ in the last bits only', () => {
    const random = seededRandom(1);
    const values = Float64Array.from({ length: 50_000 }, (_, i) => 1 + (i % 3) + 1e-12 * random());
    expect(isSame(ascending(values), values.slice().sort())).toBe(true);
  });

  it('are those of a part of a column', () => {
    const column = Float64Array.from({ length: 80_000 }, (_, i) => (i * 7919) % 80_021);
    expect(isSame(ascending(column.subarray(40_000)), column.slice(40_000).sort())).toBe(true);
  });
});
