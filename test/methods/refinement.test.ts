import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { MethodRow } from '../../src/formats/methods.js';
import { type KnownPoint, nextConfiguration } from '../../src/methods/refinement.js';
import type { Configuration } from '../../src/methods/runner.js';

const grid = (methods: readonly string[], ratios: readonly number[]): Configuration[] =>
  methods.flatMap((method) => ratios.map((compressionRatio) => ({ method, compressionRatio })));

/** Measures what is proposed, from a table of qualities, until nothing is. */
function refine(
  candidates: readonly Configuration[],
  quality: (configuration: Configuration) => number,
): KnownPoint[] {
  const known: KnownPoint[] = [];
  for (
    let next = nextConfiguration(candidates, known);
    next !== undefined;
    next = nextConfiguration(candidates, known)
  ) {
    known.push({ ...next, quality: quality(next), error: 0 });
  }
  return known;
}
const names = (points: readonly KnownPoint[]) =>
  points.map((point) => `${point.method}@${point.compressionRatio}`);

describe('successive refinement', () => {
  it('begins with what has one ratio, then halves every method', () => {
    const candidates = [...grid(['drop'], [0.1, 0.3, 0.5, 0.7, 0.9]), ...grid(['quant'], [0.4])];
    const known = refine(candidates, ({ compressionRatio }) => 1 - compressionRatio / 2);
    expect(names(known).slice(0, 2)).toEqual(['quant@0.4', 'drop@0.5']);
  });

  it('goes no deeper where a method has collapsed', () => {
    const known = refine(grid(['drop'], [0.1, 0.3, 0.5, 0.7, 0.9]), ({ compressionRatio }) =>
      compressionRatio < 0.4 ? 0.9 : 0.2,
    );
    expect(names(known).sort()).toEqual(['drop@0.1', 'drop@0.3', 'drop@0.5']);
  });

  it('does not measure between two ratios that agree', () => {
    const known = refine(grid(['drop'], [0.1, 0.3, 0.5, 0.7, 0.9]), () => 0.99);
    expect(names(known)).toEqual(['drop@0.5', 'drop@0.9']);
  });

  it('leaves out what another method beats with fewer bytes', () => {
    const candidates = [...grid(['drop'], [0.1, 0.3, 0.5, 0.7]), ...grid(['quant'], [0.75])];
    const known = refine(candidates, ({ method, compressionRatio }) =>
      method === 'quant' ? 0.99 : 1 - compressionRatio,
    );
    expect(names(known)).toEqual(['quant@0.75']);
  });

  it('measures no configuration twice and ends', () => {
    const candidates = grid(['a', 'b', 'c'], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
    const known = refine(
      candidates,
      ({ method, compressionRatio }) => 1 - compressionRatio ** (1 + (method.charCodeAt(0) % 3)),
    );
    expect(new Set(names(known)).size).toBe(known.length);
    expect(known.length).toBeLessThan(candidates.length);
  });

  it('finds the best quality for every size of the bundled profile with a part of its grid', () => {
    const file = new URL('../../profiles/methods/smollm2-135m/samples.ndjson', import.meta.url);
    const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1);
    const rows = lines.map((line) => JSON.parse(line) as MethodRow).filter((row) => row.context !== '*');
    const contexts = [...new Set(rows.map((row) => row.context))];
    let measured = 0;
    let lost = 0;
    for (const context of contexts) {
      const own = rows.filter((row) => row.context === context);
      const agreement = ({ method, compressionRatio }: Configuration) =>
        own.find((row) => row.method === method && row.compressionRatio === compressionRatio)!
          .tokenAgreement!;
      const known = refine(own, agreement);
      measured += known.length;
      for (const ratio of [0.3, 0.5, 0.7, 0.75]) {
        const bestOf = (points: readonly Configuration[]) =>
          Math.max(0, ...points.filter((point) => point.compressionRatio >= ratio).map(agreement));
        lost += (bestOf(own) - bestOf(known)) / 4 / contexts.length;
      }
    }
    // The grid is coarse, four ratios a dropper, so there is little to leave out: some 69 % is measured.
    expect(measured / rows.length).toBeLessThan(0.75);
    expect(lost).toBeLessThan(0.01);
  });
});
