import { describe, expect, it } from 'vitest';
import type { ExplainedOption } from '../../src/formats/explained.js';
import { explainSentence, flipLines } from '../../src/report/explain-text.js';

const option = (tier: string, net: number): ExplainedOption => ({
  tier,
  method: 'none',
  compressionRatio: 0,
  quality: 1,
  ttftSeconds: 0.1,
  storedBytes: 1e9,
  utility: net + 1,
  pricePaid: 1,
  net,
  chosen: tier === 'dram',
});
const now = { accesses: 3, chosenQuality: 1, priceOf: () => 0, capacityOf: () => 1e9 };
const lines = (chosen: ExplainedOption, rival: ExplainedOption) =>
  flipLines(chosen, rival, { accesses: 2 }, now);

describe('an explanation in words', () => {
  it('takes rounding for what it is', () => {
    const [chosen, rival] = [option('dram', 5), option('ssd', 5 + 1e-14)];
    expect(explainSentence('a', chosen, rival)).toMatch(/ssd uncompressed, would be worth the same/);
    expect(explainSentence('a', chosen, rival)).not.toMatch(/better by/);
  });

  it('says when a rival takes over only where it is behind', () => {
    expect(lines(option('dram', 5), option('ssd', 4))[0]).toBe('ssd uncompressed takes over at:');
    expect(lines(option('dram', 5), option('ssd', 6))).toEqual([]);
    expect(lines(option('dram', 5), option('ssd', 5))).toEqual([]);
  });
});
