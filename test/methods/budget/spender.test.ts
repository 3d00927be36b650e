import { describe, expect, it } from 'vitest';
import { costsFrom, populationFrom } from '../../../src/methods/budget/reference.js';
import { createSpender } from '../../../src/methods/budget/spender.js';
import { mostWorth } from '../../../src/methods/budget/worth.js';
import type { JournalEntry } from '../../../src/methods/journal.js';
import type { Configuration } from '../../../src/methods/runner.js';

const cells = [0.3, 0.6, 0.9].flatMap((compressionRatio) =>
  ['drop', 'quant'].map((method) => ({ method, compressionRatio })),
);

function entry(
  context: string,
  cell: number,
  values: readonly number[],
  decompressSeconds = 0,
): JournalEntry {
  const { method, compressionRatio } = cells[cell]!;
  return {
    ...{ context, inputs: '', method, compressionRatio, tokens: 100, fullBytes: 1000, prefillSeconds: 1 },
    measurement: {
      storedBytes: 1000 * (1 - compressionRatio),
      compressSeconds: 0,
      decompressSeconds,
      answers: [],
      tokenAgreement: values,
      klDivergence: [],
    },
  };
}
const spenderOf = (list: readonly Configuration[]) =>
  createSpender(list, (each) => each.measurement?.tokenAgreement, {
    population: populationFrom(list, [], 'agreement'),
    costs: costsFrom(list, []),
  });
const spender = () => spenderOf(cells);

describe('what a budget is spent on', () => {
  const costs = (remaining: readonly number[]) => ({ shares: [0.5, 0.5], decompress: [0, 0], remaining });

  it('is what could change a choice, not what is merely unsure', () => {
    const hopeless = { mean: Float64Array.of(0.9, 0.1), deviation: Float64Array.of(0.05, 0.06) };
    expect(mostWorth(hopeless, costs([1, 1]))).toBe(0);
    const near = { mean: Float64Array.of(0.9, 0.89), deviation: Float64Array.of(0, 0.06) };
    expect(mostWorth(near, costs([0, 1]))).toBe(1);
  });

  it('is nothing where all is known', () => {
    const belief = { mean: Float64Array.of(0.9, 0.8), deviation: Float64Array.of(0.1, 0.1) };
    expect(mostWorth(belief, costs([0, 0]))).toBeUndefined();
  });

  it('is not a form that takes longer to unpack than to compute anew', () => {
    const belief = { mean: Float64Array.of(0.8, 0.8), deviation: Float64Array.of(0.1, 0.1) };
    expect(mostWorth(belief, { shares: [0.3, 0.3], decompress: [5, 0], remaining: [1, 1] })).toBe(1);
  });

  it('takes as many configurations at once as there is time for, each only once', () => {
    const { configurations } = spender().next('a', 5, 4)!;
    expect(new Set(configurations).size).toBe(configurations.length);
    expect(configurations.length).toBeGreaterThan(1);
    expect(configurations.length).toBeLessThanOrEqual(4);
    expect(spender().next('a', 5, 1)!.configurations).toEqual(configurations.slice(0, 1));
  });

  it('asks a part of many queries first, all of few, and the rest where it matters', () => {
    expect(spender().next('a', 5, 1)!.wanted).toEqual({});
    const one = cells.slice(2, 3);
    const many = spenderOf(one);
    const { configurations, wanted } = many.next('a', 10, 1)!;
    expect(wanted.queries).toEqual([0, 1, 2, 3, 4, 5]);
    many.learn('a', entry('a', 2, [1, 0, 1, 0, 1, 0]));
    expect(many.next('a', 10, 1)).toEqual({ configurations, wanted: { queries: [6, 7, 8, 9] } });
    many.learn('a', entry('a', 2, [1, 0, 1, 0, 1, 0, 1, 0, 1, 0]));
    expect(many.next('a', 10, 1)).toBeUndefined();
  });

  it('knows how long decompressing takes from the first configuration measured, by what is expected of both', () => {
    const own = createSpender(cells, (each) => each.measurement?.tokenAgreement, {
      population: populationFrom(cells, [], 'agreement'),
      costs: cells.map(({ method, compressionRatio }) => ({
        share: 1 - compressionRatio,
        decompression: method === 'quant' ? compressionRatio : 0,
      })),
    });
    own.learn('a', entry('a', 1, [1, 1], 0.6));
    expect(own.seconds(1, 1000).decompressSeconds).toBeCloseTo(0.6, 9);
    expect(own.seconds(5, 1000).decompressSeconds).toBeCloseTo(1.8, 9);
    expect(own.seconds(4, 1000).decompressSeconds).toBe(0);
  });

  it('learns of all other contexts from one that was left, once', () => {
    const own = spender();
    const before = own.belief('b').mean[4]!;
    own.learn('a', entry('a', 4, [0.1, 0.1, 0.2, 0.1]));
    expect(own.belief('b').mean[4]).toBe(before);
    own.leave('a');
    const after = own.belief('b').mean[4]!;
    expect(after).toBeLessThan(before);
    own.leave('a');
    expect(own.belief('b').mean[4]).toBe(after);
  });
});
