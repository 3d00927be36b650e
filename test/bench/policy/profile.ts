import type { MethodRow } from '../../../src/formats/methods.js';

const LEVELS: readonly (readonly [method: string, compressionRatio: number])[] = [
  ['half', 0.5],
  ['quarter', 0.75],
  ['eighth', 0.88],
  ['sixteenth', 0.94],
];

/** A method profile made for comparisons: two classes, of which one bears much less, on one scale. */
const QUALITIES: Readonly<Record<string, readonly number[]>> = {
  robust: [0.995, 0.985, 0.96, 0.88],
  sensitive: [0.97, 0.9, 0.75, 0.5],
};

export const TWO_CLASSES: readonly MethodRow[] = profileOf(QUALITIES);

/** Three classes, one of which loses nearly nothing at any ratio and one of which breaks at once. */
export const THREE_CLASSES: readonly MethodRow[] = profileOf({
  summaries: [0.999, 0.997, 0.99, 0.98],
  questions: [0.99, 0.96, 0.9, 0.8],
  code: [0.93, 0.8, 0.6, 0.4],
});

function profileOf(qualities: Readonly<Record<string, readonly number[]>>): MethodRow[] {
  return Object.entries(qualities).flatMap(([name, values]) =>
    LEVELS.map(([method, compressionRatio], i) => ({
      context: '*',
      class: name,
      fullBytes: 1e6,
      method,
      compressionRatio,
      storedBytes: Math.round(1e6 * (1 - compressionRatio)),
      quality: values[i]!,
      queries: 10,
      metric: 'similarity',
    })),
  );
}
