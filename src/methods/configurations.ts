import { EvicpressError, printable } from '../errors.js';
import type { Configuration, MethodCatalog } from './runner.js';

/** What is profiled where nobody says: every method alone, and the best dropper with a quantizer. */
export const DEFAULT_METHODS = [
  'keydiff',
  'knorm',
  'snapkv',
  'streaming-llm',
  'int8',
  'int4',
  'fp8',
  'snapkv+int8',
  'snapkv+int4',
];
/** Fractions removed that are measured where none are asked for. */
export const DEFAULT_RATIOS = [0.3, 0.5, 0.7, 0.9];

/**
 * Every method at every ratio it can take: a quantizer once at its own, a combination only above what its
 * quantizer removes by itself.
 * @throws EvicpressError on an unknown method, a ratio outside (0, 1), or a method left without a ratio.
 */
export function listConfigurations(
  catalog: MethodCatalog,
  methods: readonly string[],
  ratios: readonly number[],
): Configuration[] {
  const bad = ratios.find((ratio) => !(ratio > 0 && ratio < 1));
  if (bad !== undefined) {
    throw new EvicpressError(
      `--ratios: ${bad} is not the fraction to remove. Give numbers above 0 and below 1.`,
    );
  }
  return [...new Set(methods)].flatMap((method) => {
    if (method === 'none') return [];
    const fixed = catalog.fixedRatio(method);
    if (fixed !== undefined) return [{ method, compressionRatio: fixed }];
    const smallest = catalog.smallestRatio(method);
    const usable = [...new Set(ratios)].sort((a, b) => a - b).filter((ratio) => ratio > smallest + 1e-9);
    if (usable.length === 0) {
      throw new EvicpressError(
        `Method ${printable(method)} removes ${smallest} by quantizing alone, and no ratio given is above that. Add one with --ratios, e.g. ${(1 + smallest) / 2}.`,
      );
    }
    return usable.map((compressionRatio) => ({ method, compressionRatio }));
  });
}
