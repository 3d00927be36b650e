import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readReplays } from '../../src/formats/replay.js';
import type { FigureKind } from '../../src/report/figure.js';
import { hitsByCapacity } from '../../src/report/figures/hits-by-capacity.js';
import { load } from '../../src/report/figures/load.js';
import { ttftDistribution } from '../../src/report/figures/ttft-distribution.js';
import { resultsFolder } from './fixtures.js';

async function draw(kind: FigureKind) {
  const replays = await readReplays(join(await resultsFolder(), '.evicpress', 'replay.json'));
  const figure = kind.draw({ replays } as never)!;
  const { values } = figure.panels[0]!.spec.data as { values: Record<string, unknown>[] };
  return { figure, values };
}

describe('charts of a replay', () => {
  it('show the distribution of the TTFT but for what takes no time, which a logarithm has no room for', async () => {
    const { values } = await draw(ttftDistribution);
    expect(values).toHaveLength(3 * 100);
    expect(values[0]).toEqual({ policy: 'lru', seconds: 0.008, share: 0.01 });
  });

  it('show the TTFT by load near the target, and who bears the most without knowing the future', async () => {
    const { figure, values } = await draw(load);
    expect(figure.reading).toContain(
      'evicpress bears the most, the bound aside: 10.0 requests a second with a mean TTFT of at most 1.00 s.',
    );
    expect(values.filter(({ policy }) => policy === 'lru').map((value) => value.load)).toEqual([
      0.5, 1, 2, 4,
    ]);
  });

  it('show what LRU serves by capacity, and from where on little is gained', async () => {
    const { figure, values } = await draw(hitsByCapacity);
    expect(values).toHaveLength(4);
    expect(figure.reading).toBe(
      'LRU serves at most 40.0 % of the input tokens, and nine tenths of that with 100 GB.',
    );
  });

  it('are left out where a replay has nothing for them', () => {
    const replays = [{ policies: [{ policy: 'lru', ttft: { mean: 1 } }] }];
    for (const kind of [ttftDistribution, load, hitsByCapacity])
      expect(kind.draw({ replays } as never)).toBeUndefined();
  });
});
