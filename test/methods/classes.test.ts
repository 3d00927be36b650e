import { describe, expect, it } from 'vitest';
import { type ClassifiedContext, reportClasses } from '../../src/methods/classes.js';

/** Contexts of two classes that differ in quality, and in their features where `told`. */
function contexts(told: boolean): ClassifiedContext[] {
  return Array.from({ length: 10 }, (_, i) => {
    const code = i % 2 === 0;
    return {
      context: `c${i}`,
      class: code ? 'code' : 'prose',
      features: { keyNormVariation: told ? (code ? 0.2 : 0.6) + i / 100 : (i * 3) % 10 },
      quality: new Map([['keydiff@0.5', (code ? 0.9 : 0.5) + (i % 3) / 100]]),
    };
  });
}

describe('classes', () => {
  it('are told by features where these differ, and by how much that helps', () => {
    const report = reportClasses(contexts(true))!;
    expect(report).toMatchObject({ contexts: 10, classes: ['code', 'prose'], agreement: 1 });
    expect(report.errorOfMean).toBeGreaterThan(0.19);
    expect(report.errorOfDeclared).toBeLessThan(0.02);
    expect(report.errorOfFeatures).toBe(report.errorOfDeclared);
    expect(report.assign!({ keyNormVariation: 0.25 })).toBe('code');
    expect(report.assign!({ keyNormVariation: 0.7 })).toBe('prose');
  });

  it('are not guessed where features predict no better than the mean of all', () => {
    const report = reportClasses(contexts(false))!;
    expect(report.errorOfFeatures).toBeGreaterThanOrEqual(report.errorOfMean);
    expect(report.assign).toBeUndefined();
  });

  it('need three contexts and two classes', () => {
    expect(reportClasses(contexts(true).slice(0, 2))).toBeUndefined();
    const one = contexts(true).filter((each) => each.class === 'code');
    expect(reportClasses(one)).not.toHaveProperty('errorOfFeatures');
  });
});
