import { describe, expect, it } from 'vitest';
import {
  believe,
  expectPopulation,
  learn,
  type Observation,
  type Population,
} from '../../../src/methods/budget/population.js';
import { seededRandom } from '../../../src/random.js';

const cells = ['drop', 'quant', 'other'].flatMap((method) =>
  [0.3, 0.6, 0.9].map((compressionRatio) => ({ method, compressionRatio })),
);

/** Contexts of rank two: how hard a context is, and how well it takes dropping rather than anything else. */
function truths(count: number, seed: number): number[][] {
  const random = seededRandom(seed);
  const normal = () => Array.from({ length: 12 }, random).reduce((sum, value) => sum + value, -6);
  return Array.from({ length: count }, () => {
    const [level, taste] = [0.06 * normal(), 0.06 * normal()];
    return cells.map(
      ({ method, compressionRatio: ratio }) =>
        0.95 - 0.6 * ratio ** 2 + ratio * (level + (method === 'drop' ? taste : -taste)),
    );
  });
}

const exactly = (truth: readonly number[], places: readonly number[]): Observation[] =>
  places.map((cell) => ({ cell, quality: truth[cell]!, error: 0.01 }));

const start = (): Population =>
  expectPopulation(
    cells,
    Float64Array.from(cells, () => 0.7),
    cells.map(() => 0.3),
  );

const rootMeanSquare = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

describe('what is believed of contexts', () => {
  it('finds the structure of a population and predicts a context from two of its measurements', () => {
    const everything = cells.map((_, cell) => cell);
    const population = truths(40, 1)
      .map((truth) => exactly(truth, everything))
      .reduce(learn, start());
    const anchors = [2, 5];
    const missesOf = (own: readonly number[]) =>
      truths(30, 2).flatMap((truth) => {
        const { mean } = believe(population, exactly(truth, own));
        return truth.map((quality, cell) => quality - mean[cell]!);
      });
    expect(rootMeanSquare(missesOf(anchors))).toBeLessThan(0.3 * rootMeanSquare(missesOf([])));
  });

  it('is never worse, over many contexts, than the mean of those measured, whatever part of each that is', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const random = seededRandom(seed);
      const seen = truths(12, seed).map((truth) =>
        exactly(
          truth,
          cells.flatMap((_, cell) => (random() < 0.5 ? [cell] : [])),
        ),
      );
      const population = seen.reduce(learn, start());
      const values = cells.map((_, cell) =>
        seen.flat().flatMap((each) => (each.cell === cell ? [each.quality] : [])),
      );
      const pooled = values.map((each) => each.reduce((sum, value) => sum + value, 0) / each.length);
      const pairs = truths(30, 100 + seed).flatMap((truth) => {
        const { mean } = believe(population, exactly(truth, [2, 5]));
        return truth.map((quality, cell) => [quality - mean[cell]!, quality - pooled[cell]!] as const);
      });
      expect(rootMeanSquare(pairs.map(([own]) => own))).toBeLessThan(
        rootMeanSquare(pairs.map(([, mean]) => mean)),
      );
    }
  });

  it('is nearer to a measurement the surer that is, and knows how sure it is', () => {
    const quality = 0.9;
    const [sure, unsure, none] = [0.02, 0.2, undefined].map((error) =>
      believe(start(), error === undefined ? [] : [{ cell: 0, quality, error }]),
    );
    expect(Math.abs(sure!.mean[0]! - quality)).toBeLessThan(Math.abs(unsure!.mean[0]! - quality));
    expect(sure!.deviation[0]!).toBeLessThan(unsure!.deviation[0]!);
    expect(unsure!.deviation[0]!).toBeLessThan(none!.deviation[0]!);
    // Neighbours learn from it, the more the nearer.
    expect(sure!.deviation[1]!).toBeLessThan(sure!.deviation[2]!);
    expect(sure!.deviation[2]!).toBeLessThan(none!.deviation[2]!);
  });

  it('says the same to the same, and stays between 0 and 1', () => {
    const build = () =>
      truths(10, 3)
        .map((truth) => exactly(truth, [0, 4, 8]))
        .reduce(learn, start());
    expect(build()).toEqual(build());
    const { mean } = believe(build(), [
      { cell: 0, quality: 1, error: 0.02 },
      { cell: 8, quality: 1, error: 0.02 },
    ]);
    for (const each of mean) expect(each).toBeLessThanOrEqual(1);
  });
});
