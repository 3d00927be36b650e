import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { planPieces } from '../../src/formats/plan.js';
import { planInForce, reviewApply } from '../../src/workflows/generations.js';
import { sandbox } from '../support/cli.js';

const box = sandbox();

function planWith(context: string): string {
  const header = {
    format: 'evicpress.plan' as const,
    version: 1,
    generation: 1,
    model: null,
    periodSeconds: null,
    objective: { alpha: 1 },
    tiers: [],
    summary: {
      ...{ contexts: 1, utility: 0, bound: 0, relaxationBound: 0, gap: 0, gapOfSpan: 0 },
      ...{ meanTtftSeconds: 0, meanQuality: 1, solver: 'dual' },
    },
    rules: {},
    inputs: [],
  };
  const row = {
    ...{ context, tier: 'recompute', method: 'none', compressionRatio: 0, storedBytes: 0 },
    ...{ quality: 1, ttftSeconds: 0, accesses: 1 },
  };
  return [...planPieces(header, [row])].join('');
}

it('of two first plans that were reviewed at once the second is refused, and replaces nothing', async () => {
  const [a, b] = ['a', 'b'].map((name) => {
    writeFileSync(box.path(name), planWith(name));
    return box.path(name);
  }) as [string, string];
  const changes = [await reviewApply(box.path('state'), a), await reviewApply(box.path('state'), b)];
  await changes[0]!.carryOut();
  await expect(changes[1]!.carryOut()).rejects.toThrow('Generation 1 has come into force since the review');
  expect((await planInForce(box.path('state')))!.rows[0]!.context).toBe('a');
});
