import { expect, it } from 'vitest';
import { paretoChart } from '../../src/report/size-text.js';

it('marks plans and fixed rules, plans on top', () => {
  const [title, ...lines] = paretoChart([
    { name: 'alpha 1', alpha: 1, meanTtftSeconds: 0.01, meanQuality: 0.9 },
    { name: 'all int4', meanTtftSeconds: 0.01, meanQuality: 0.9 },
    { name: 'all uncompressed', meanTtftSeconds: 0.1, meanQuality: 1 },
  ]).split('\n');
  expect(title).toBe('Quality by mean TTFT: * plans, o fixed rules');
  const marks = lines.join('').replace(/[^*o]/g, '');
  expect(marks).toBe('o*');
});
