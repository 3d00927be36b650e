import { describe, expect, it } from 'vitest';
import { alphaForLoss, formAt, lastingForm, sizedForms } from '../../src/plan/sized-levels.js';

const whole = { level: 0, quality: 1, secondsPerByte: 1 };
const half = { level: 1, quality: 0.98, secondsPerByte: 0.5 };
const eighth = { level: 2, quality: 0.9, secondsPerByte: 0.125 };
const dominated = { level: 3, quality: 0.97, secondsPerByte: 0.6 };

describe('levels by size', () => {
  it('leaves out what is best for no size', () => {
    const { forms, savedPerLoss } = sizedForms([dominated, eighth, whole, half]);
    expect(forms.map((form) => form.level)).toEqual([0, 1, 2]);
    expect(savedPerLoss[0]).toBeGreaterThan(savedPerLoss[1]!);
  });

  it('gives each size what alpha · quality − seconds is largest for', () => {
    const offered = [whole, half, eighth];
    const sized = sizedForms(offered);
    for (const alpha of [1, 10, 100]) {
      for (const bytes of [0.1, 1, 3, 10, 40]) {
        const worth = (form: typeof whole) => alpha * form.quality - bytes * form.secondsPerByte;
        expect(worth(formAt(sized, alpha, bytes))).toBeCloseTo(Math.max(...offered.map(worth)), 9);
      }
    }
  });

  it('keeps whole what is best whole now, as that can still be compressed later', () => {
    const sized = sizedForms([whole, half, eighth]);
    expect(lastingForm(sized, 100, 1, 1000).level).toBe(0);
    expect(lastingForm(sized, 100, 5, 1000).level).toBe(2);
  });

  it('solves for the least alpha at which no more than the allowed quality is lost', () => {
    const bins = {
      bytes: Float64Array.of(1, 4, 16, 64),
      expectedBytes: Float64Array.of(1, 4, 16, 64),
    };
    const demand = { forms: sizedForms([whole, half, eighth]), reuses: Float64Array.of(10, 10, 10, 10) };
    const lossAt = (alpha: number) =>
      bins.bytes.reduce((sum, bytes) => sum + 10 * (1 - formAt(demand.forms, alpha, bytes).quality), 0);
    for (const allowed of [0.2, 0.5, 1.5, 3]) {
      const alpha = alphaForLoss([demand], bins, allowed);
      expect(lossAt(alpha)).toBeLessThanOrEqual(allowed + 1e-9);
      expect(lossAt(0.99 * alpha)).toBeGreaterThan(allowed);
    }
    expect(alphaForLoss([demand], bins, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(alphaForLoss([demand], bins, 100)).toBe(0);
  });
});
