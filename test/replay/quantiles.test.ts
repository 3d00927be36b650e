import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/random.js';
import { quantiles } from '../../src/replay/quantiles.js';

const SHARES = [0, 0.001, 0.1, 0.5, 1 / 3, 0.9, 0.99, 1];

/** The same from all numbers in order. */
function expected(values: Float64Array): number[] {
  const sorted = values.slice().sort();
  return SHARES.map((share) => {
    const at = share * (sorted.length - 1);
    const low = sorted[Math.floor(at)]!;
    return low + (at - Math.floor(at)) * (sorted[Math.min(Math.floor(at) + 1, sorted.length - 1)]! - low);
  });
}

describe('quantiles', () => {
  it.each([1, 2, 1000, 100_000])(
    'are those of sorted numbers: %i of all magnitudes, with ties and zeros',
    (count) => {
      const random = seededRandom(count);
      const values = Float64Array.from({ length: count }, (_, i) =>
        i % 5 === 0 ? 0 : Math.floor(50 * random()) * 10 ** Math.floor(600 * random() - 300),
      );
      const before = values.slice();
      expect(quantiles(values, SHARES)).toEqual(expected(values));
      expect(values).toEqual(before);
    },
  );

  it.each<[string, (random: number, i: number) => number]>([
    ['near each other', (random) => 1 + random],
    ['apart in the last bits only', (random, i) => 1 + (i % 3) + 1e-12 * random],
    ['all the same', () => 1],
    ['few large ones among small', (random, i) => (i % 1000 === 0 ? 1e200 : random)],
  ])('are those of sorted numbers: many, %s', (_, of) => {
    const random = seededRandom(1);
    const values = Float64Array.from({ length: 50_000 }, (_value, i) => of(random(), i));
    expect(quantiles(values, SHARES)).toEqual(expected(values));
  });

  it('are those of a part of a column, and 0 of none', () => {
    const column = Float64Array.from({ length: 80_000 }, (_, i) => (i * 7919) % 80_021);
    expect(quantiles(column.subarray(40_000), SHARES)).toEqual(expected(column.slice(40_000)));
    expect(quantiles(new Float64Array(0), [0.5, 1])).toEqual([0, 0]);
  });
});
