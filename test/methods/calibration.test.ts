import { describe, expect, it } from 'vitest';
import { calibrate, type MetricPair } from '../../src/methods/calibration.js';
import { seededRandom } from '../../src/random.js';

/** Similarity that follows agreement by a curve of its own, with a little noise. */
function pairs(contexts: number, noise: number): MetricPair[] {
  const random = seededRandom(7);
  return Array.from({ length: contexts }, (_, context) =>
    Array.from({ length: 10 }, (_, i) => {
      const tokenAgreement = (i + 1) / 10;
      return {
        context: `c${context}`,
        tokenAgreement,
        similarity: tokenAgreement ** 2 + noise * (random() - 0.5),
      };
    }),
  ).flat();
}

describe('calibration', () => {
  it('learns what an agreement is worth, and by how much it errs on another context', () => {
    const calibration = calibrate(pairs(8, 0.05))!;
    expect(calibration).toMatchObject({ contexts: 8, points: 80 });
    for (const agreement of [0.25, 0.5, 0.95]) {
      expect(Math.abs(calibration.predict(agreement) - agreement ** 2)).toBeLessThan(0.05);
    }
    // The noise alone has a deviation of .05 / √12.
    expect(calibration.rmsError).toBeGreaterThan(0.014);
    expect(calibration.rmsError).toBeLessThan(0.03);
    expect(calibration.rmsErrorOfMean).toBeGreaterThan(10 * calibration.rmsError);
  });

  it('never falls, and does not leave what it has seen', () => {
    const { predict } = calibrate(pairs(4, 0.6))!;
    const curve = Array.from({ length: 101 }, (_, i) => predict(i / 100));
    for (let i = 1; i < curve.length; i++) expect(curve[i]).toBeGreaterThanOrEqual(curve[i - 1]!);
    expect(predict(0)).toBe(predict(0.1));
  });

  it('claims nothing where agreement says nothing, nor from fewer than three contexts', () => {
    const blind = pairs(6, 0).map((pair, i) => ({ ...pair, similarity: (i * 7) % 10 < 5 ? 0.2 : 0.8 }));
    const { rmsError, rmsErrorOfMean } = calibrate(blind)!;
    expect(rmsError).toBeGreaterThan(0.8 * rmsErrorOfMean);
    expect(calibrate(pairs(2, 0))).toBeUndefined();
  });
});
