import { describe, expect, it } from 'vitest';
import type { Compression } from '../../../src/replay/compression.js';
import { CalibratedClassRule } from '../../../src/replay/levels/calibrated-class-rule.js';

/** The classless curve, a robust and a sensitive class; whole, half and a quarter. */
const compression: Compression = {
  levels: [0, 0.5, 0.75].map((compressionRatio) => ({ method: 'm', compressionRatio })),
  curves: 3,
  bytesFraction: Float64Array.of(1, 0.5, 0.25, 1, 0.5, 0.25, 1, 0.5, 0.25),
  quality: Float64Array.of(1, 1, 1, 1, 0.99, 0.98, 1, 0.96, 0.9),
  decompressSecondsPerByte: new Float64Array(9),
};
const ROBUST = 1;
const SENSITIVE = 2;

function levels(rule: CalibratedClassRule): number[] {
  return [rule.levelFor(ROBUST), rule.levelFor(SENSITIVE)];
}

describe('the class rule of a mean quality', () => {
  it('begins as if every request reused something, each class as often', () => {
    expect(levels(new CalibratedClassRule(compression, 0.97, undefined, 0))).toEqual([2, 1]);
    expect(levels(new CalibratedClassRule(compression, 0.93, undefined, 0))).toEqual([2, 2]);
    expect(levels(new CalibratedClassRule(compression, 1, undefined, 0))).toEqual([0, 0]);
    expect(levels(new CalibratedClassRule(compression, 0.93, 0.95, 0))).toEqual([2, 1]);
  });

  it('keeps everything whole where nothing may be lost, however little that would be', () => {
    const quality = compression.quality.map((q) => 1 - (1 - q) / 10);
    const nearlyLossless = { ...compression, quality };
    expect(levels(new CalibratedClassRule(nearlyLossless, 1, undefined, 0))).toEqual([0, 0]);
    expect(levels(new CalibratedClassRule(nearlyLossless, 0.997, undefined, 0))).toEqual([2, 1]);
  });

  it('compresses more where few requests reuse anything, and less where the sensitive class does', () => {
    const seldom = new CalibratedClassRule(compression, 0.97, undefined, 10_000);
    const sensitive = new CalibratedClassRule(compression, 0.97, undefined, 10_000);
    for (let request = 0; request < 4000; request++) {
      const reused = request % 4 === 0;
      seldom.observe(request, request % 8 < 4 ? ROBUST : SENSITIVE, reused, 0.97, true);
      sensitive.observe(request, SENSITIVE, true, 0.97, true);
    }
    seldom.choose();
    sensitive.choose();
    expect(levels(seldom)).toEqual([2, 2]);
    expect(levels(sensitive)).toEqual([2, 0]);
  });

  it('makes up for quality that was missed', () => {
    const rule = new CalibratedClassRule(compression, 0.97, undefined, 0);
    for (let request = 0; request < 1000; request++)
      rule.observe(request, request % 2 === 0 ? ROBUST : SENSITIVE, true, 0.95, true);
    rule.choose();
    expect(levels(rule)[1]).toBe(0);
  });
});
