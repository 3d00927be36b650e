import { describe, expect, it } from 'vitest';
import type { MethodRow } from '../../../src/formats/methods.js';
import { believe } from '../../../src/methods/budget/population.js';
import { costsFrom, populationFrom } from '../../../src/methods/budget/reference.js';

/** Two contexts; snapkv loses a third of what is removed, int4 nothing. */
const reference = ['a', 'b'].flatMap((context, i) =>
  [
    { method: 'snapkv', compressionRatio: 0.3, quality: 0.9 },
    { method: 'snapkv', compressionRatio: 0.9, quality: 0.7 },
    { method: 'int4', compressionRatio: 0.75, quality: 1, decompressSeconds: 0.1 },
  ].map(
    (row): MethodRow => ({
      ...{
        context,
        fullBytes: 1e7,
        storedBytes: 1e7 * (1 - row.compressionRatio),
        metric: 'answer-similarity',
      },
      ...row,
      quality: row.quality - 0.02 * i,
      tokenAgreement: row.quality / 2,
      qualityStdError: 0.05,
      model: 'm',
      runner: 'embedded',
    }),
  ),
);
const cell = (method: string, compressionRatio: number) => ({ method, compressionRatio });
const meanOf = (
  cells: readonly ReturnType<typeof cell>[],
  metric: 'similarity' | 'agreement',
  rows = reference,
) => believe(populationFrom(cells, rows, metric), []).mean;

describe('what a reference profile lets expect', () => {
  it('is its own curve at its ratios and between them, in the metric asked for', () => {
    const cells = [cell('snapkv', 0.3), cell('snapkv', 0.6), cell('int4', 0.75)];
    const similarity = meanOf(cells, 'similarity');
    expect(similarity[0]).toBeCloseTo(0.89, 2);
    expect(similarity[1]).toBeCloseTo(0.79, 2);
    expect(similarity[2]).toBeCloseTo(0.99, 2);
    expect(meanOf(cells, 'agreement')[0]).toBeCloseTo(0.45, 2);
  });

  it('is the curve of its kind for a method it does not have, and less sure', () => {
    const cells = [cell('snapkv', 0.6), cell('tova', 0.6), cell('int8', 0.5)];
    const { mean, deviation } = believe(populationFrom(cells, reference, 'similarity'), []);
    expect(mean[1]).toBeCloseTo(mean[0]!, 2);
    expect(mean[2]).toBeGreaterThan(mean[1]!);
    expect(deviation[1]).toBeGreaterThan(deviation[0]!);
  });

  it('is worth little beside measurements of another model', () => {
    const cells = [cell('snapkv', 0.3), cell('snapkv', 0.9)];
    const population = populationFrom(cells, reference, 'similarity');
    const { mean } = believe(population, [{ cell: 0, quality: 0.5, error: 0.05 }]);
    expect(mean[0]).toBeLessThan(0.6);
    expect(mean[1]).toBeLessThan(0.6);
  });

  it('is a guess by the ratio without any', () => {
    const guess = meanOf([cell('snapkv', 0.2), cell('snapkv', 0.8)], 'similarity', []);
    expect(guess[0]).toBeGreaterThan(guess[1]!);
  });

  it('tells what storing takes: nothing is unpacked of dropped tokens, and what is new costs what its kind does', () => {
    const rows = reference.map((row) => (row.method === 'int4' ? { ...row, storedBytes: 2.8e6 } : row));
    const [drop, known, other] = costsFrom(
      [cell('snapkv', 0.6), cell('int4', 0.75), cell('int2', 0.875)],
      rows,
    );
    expect(drop!.share).toBeCloseTo(0.4, 9);
    expect(drop!.decompression).toBe(0);
    expect(known!.share).toBeCloseTo(0.28, 9);
    // .1 s of 10 MB, prefilled in .42 s.
    expect(known!.decompression).toBeCloseTo(0.1 / 0.42, 6);
    expect(other!.share).toBeCloseTo(0.14, 9);
    expect(other!.decompression).toBe(known!.decompression);
  });
});
