import { describe, expect, it } from 'vitest';
import type { Compression } from '../../src/replay/compression.js';
import { classRule, classRulesFrom } from '../../src/replay/level-rule.js';
import { nothingAgain } from '../bench/policy/synthetic.js';
import { firstRequests } from '../traces/logs.js';

/** The classless curve, a robust and a sensitive class; whole, half and a quarter. */
const compression: Compression = {
  levels: [0, 0.5, 0.75].map((compressionRatio) => ({ method: 'm', compressionRatio })),
  curves: 3,
  bytesFraction: Float64Array.of(1, 0.5, 0.25, 1, 0.5, 0.25, 1, 0.5, 0.25),
  quality: Float64Array.of(1, 1, 1, 1, 0.99, 0.98, 1, 0.96, 0.9),
  decompressSecondsPerByte: new Float64Array(9),
};

describe('all class rules', () => {
  it('go from the fewest bytes to the uncompressed cache', () => {
    expect(classRulesFrom(compression)).toEqual([
      [2, 2, 2],
      [2, 2, 1],
      [2, 2, 0],
      [2, 1, 0],
      [2, 0, 0],
    ]);
  });

  it('store no class below the least quality', () => {
    expect(classRulesFrom(compression, 0.95)[0]).toEqual([2, 2, 1]);
  });

  it('agree with the class rule', () => {
    const trace = firstRequests(nothingAgain(), 1);
    expect(classRule(trace, compression, 0.96).levelFor(0, 0)).toBe(classRulesFrom(compression, 0.96)[0]![0]);
  });
});
