import { describe, expect, it } from 'vitest';
import { DenseIds, idTexts } from '../../src/traces/ids.js';

/** What dense numbers are: places in the list of ids by first appearance. */
function expected(ids: readonly (number | string)[]) {
  const met = [...new Set(ids.map(String))];
  return { numbers: ids.map((id) => met.indexOf(String(id))), met };
}

describe('dense numbers', () => {
  it.each<[string, (number | string)[]]>([
    ['of ids that are numbered so already', [0, 1, 2, 0, 3, 3, 1]],
    ['of ids that begin so', [0, 1, 2, 1, 7, 3, 2, 0, 7]],
    ['of ids that begin at another number', [1, 2, 1, 0]],
    ['of text after such ids', [0, 1, 'a', 1, 2, 'a', 0, '1']],
    ['of ids too large for a table', [0, 1, 2 ** 31 - 1, 2 ** 40, 1, 2, 2 ** 31 - 1]],
  ])('are places by first appearance: %s', (_, list) => {
    const { numbers, met } = expected(list);
    const oneByOne = new DenseIds();
    expect(list.map((id) => oneByOne.of(id))).toEqual(numbers);
    expect(idTexts(oneByOne.toColumns())).toEqual(met);
    expect(met.map((_id, dense) => oneByOne.toText(dense))).toEqual(met);

    const together = new DenseIds();
    const column = new Int32Array(list.length);
    for (let from = 0; from < list.length; from += 3) {
      const some = list.slice(from, from + 3);
      if (some.every((id) => typeof id === 'number' && id < 2 ** 31))
        together.ofNumbers(Int32Array.from(some as number[]), 0, some.length, column, from);
      else
        some.forEach((id, i) => {
          column[from + i] = together.of(id);
        });
    }
    expect([...column]).toEqual(numbers);
    expect(idTexts(together.toColumns())).toEqual(met);
  });
});
