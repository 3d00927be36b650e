import type { MethodRow } from '../../../src/formats/methods.js';
import type { Configuration, Runner } from '../../../src/methods/runner.js';
import { seededRandom } from '../../../src/random.js';

/** Seconds of prefill and reference answers, in seconds of one configuration: what the embedded runner takes. */
export const PREFILL_COST = 2;
/** Seconds in which the bench's plans compute a context anew; judge.ts. */
export const PREFILL_SECONDS = 1.2;
/** The part of a configuration's seconds that does not depend on how many queries are asked: compressing, reading. */
const FIXED_COST = 0.5;

/**
 * A runner that answers from a measured grid. What each query says is drawn anew: five values (as many as were
 * asked) whose mean and standard error are exactly those measured.
 * @param spend takes the seconds each step costs.
 */
export function gridRunner(
  full: readonly MethodRow[],
  spend: (seconds: number) => void,
  seed: number,
): Runner {
  const find = (context: string, { method, compressionRatio }: Configuration) =>
    full.find(
      (row) => row.context === context && row.method === method && row.compressionRatio === compressionRatio,
    )!;
  const drawn = new Map(full.map((row, i) => [row, valuesOf(row, 1000 * seed + i)]));
  return {
    name: 'embedded',
    model: 'table',
    kvDtype: 'bf16',
    fixedRatio: () => undefined,
    smallestRatio: () => 0,
    async prepare({ context, queries }) {
      spend(PREFILL_COST);
      const { tokens, fullBytes } = full.find((row) => row.context === context)!;
      return {
        tokens: tokens!,
        fullBytes,
        cutTokens: 0,
        prefillSeconds: PREFILL_SECONDS,
        referenceAnswers: queries.map(() => ''),
        async measure(configuration, { queries: asked = queries.map((_, i) => i) } = {}) {
          spend(FIXED_COST + ((1 - FIXED_COST) * asked.length) / queries.length);
          const row = find(context, configuration);
          const values = asked.map((i) => drawn.get(row)![i]!);
          const { storedBytes, compressSeconds = 0, decompressSeconds = 0 } = row;
          return {
            ...{ storedBytes, compressSeconds, decompressSeconds },
            answers: values.map(String),
            tokenAgreement: values,
            klDivergence: [],
          };
        },
      };
    },
    similarity: async (_, candidate) => Number(candidate),
    close: async () => undefined,
  };
}

/** A value per query, drawn and then moved and scaled to the mean and the standard error of the row. */
function valuesOf({ quality, qualityStdError = 0, queries = 5 }: MethodRow, seed: number): number[] {
  const random = seededRandom(seed);
  const draws = Array.from({ length: queries }, () => random() + random() + random());
  const centre = draws.reduce((sum, value) => sum + value, 0) / queries;
  const deviation = Math.sqrt(draws.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (queries - 1));
  return draws.map(
    (value) => quality + ((value - centre) / deviation) * qualityStdError * Math.sqrt(queries),
  );
}
