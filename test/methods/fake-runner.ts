import { EvicpressError } from '../../src/errors.js';
import type { Configuration, ProfiledContext, Runner } from '../../src/methods/runner.js';

export const contexts: readonly ProfiledContext[] = [
  { context: 'a', class: 'x', text: 'first', queries: ['q1', 'q2'] },
  { context: 'b', class: 'x', text: 'second', queries: ['q1', 'q2'] },
  { context: 'c', class: 'y', text: 'third', queries: ['q1'] },
];
export const configurations: readonly Configuration[] = [
  { method: 'drop', compressionRatio: 0.5 },
  { method: 'drop', compressionRatio: 0.9 },
  { method: 'quant', compressionRatio: 0.75 },
];

/**
 * A runner without a model: quality falls with the ratio, differs by context, and every call is counted.
 * @param onMeasure is called before each configuration; what it throws, the runner throws.
 */
export function fakeRunner(
  onMeasure: (context: string, configuration: Configuration) => void = () => undefined,
) {
  const calls: string[] = [];
  const runner: Runner = {
    name: 'embedded',
    model: 'fake',
    kvDtype: 'bf16',
    fixedRatio: (method) => (method === 'quant' ? 0.75 : undefined),
    smallestRatio: (method) => (method.endsWith('+quant') ? 0.75 : 0),
    prepare: async ({ context, queries, text }) => {
      calls.push(`prepare ${context}`);
      return {
        tokens: 100 * text.length,
        fullBytes: 1000 * text.length,
        cutTokens: 0,
        prefillSeconds: 0.1,
        referenceAnswers: queries.map(() => 'reference'),
        measure: async (configuration) => {
          onMeasure(context, configuration);
          calls.push(`${context} ${configuration.method}@${configuration.compressionRatio}`);
          if (configuration.method === 'broken') throw new EvicpressError('too short');
          return {
            storedBytes: Math.round(1000 * text.length * (1 - configuration.compressionRatio)),
            compressSeconds: 0.01,
            decompressSeconds: 0.002,
            answers: queries.map((_, i) => String(1 - configuration.compressionRatio / (2 + i))),
            tokenAgreement: queries.map(() => 1 - configuration.compressionRatio / 2),
            klDivergence: queries.map(() => configuration.compressionRatio),
          };
        },
      };
    },
    similarity: async (_, candidate) => Number(candidate),
    close: async () => undefined,
  };
  return { runner, calls };
}
