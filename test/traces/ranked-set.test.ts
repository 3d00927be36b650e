import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RankedSet } from '../../src/traces/ranked-set.js';

describe('a ranked set', () => {
  it('has its members in order, and knows the place of each', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 200 })), (numbers) => {
        const set = new RankedSet(201);
        for (const number of numbers) set.add(number);
        const members = [...new Set(numbers)].sort((a, b) => a - b);
        expect([...set.members()]).toEqual(members);
        expect(members.map((number) => set.rank(number))).toEqual(members.map((_, place) => place));
      }),
    );
  });
});
