import { describe, expect, it } from 'vitest';
import type { MethodRow } from '../../src/formats/methods.js';
import { pooledRows } from '../../src/methods/rows.js';

const row = (context: string, quality: number, rest: Partial<MethodRow> = {}): MethodRow => ({
  ...{ context, tokens: 10, fullBytes: 100, method: 'drop', compressionRatio: 0.5, storedBytes: 50, quality },
  ...{ queries: 5, metric: 'token-agreement' as const, model: 'm', runner: 'embedded', ...rest },
});

describe('rows pooled over contexts', () => {
  it('are as sure as the contexts differ', () => {
    const [pooled] = pooledRows([row('a', 0.8), row('b', 0.9)]);
    expect(pooled).toMatchObject({ quality: 0.85, contexts: 2 });
    expect(pooled!.qualityStdError).toBeCloseTo(0.05, 6);
    expect(pooled!.qualitySpread).toBeCloseTo(Math.SQRT2 * 0.05, 6);
  });

  it('are no surer for estimates that lie close together', () => {
    const guess = { estimated: true, qualityStdError: 0.1, queries: 0 };
    const [pooled] = pooledRows([row('a', 0.85, guess), row('b', 0.85, guess)]);
    expect(pooled).toMatchObject({
      contexts: 0,
      estimatedContexts: 2,
      qualityStdError: 0.1,
      qualitySpread: 0.1,
    });
  });
});
