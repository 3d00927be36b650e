import { describe, expect, it } from 'vitest';
import { shuffled } from '../src/random.js';

describe('shuffled', () => {
  it('keeps every element and depends on the seed alone', () => {
    const items = Array.from({ length: 20 }, (_, i) => i);
    expect([...shuffled(items, 1)].sort((a, b) => a - b)).toEqual(items);
    expect(shuffled(items, 1)).toEqual(shuffled(items, 1));
    expect(shuffled(items, 1)).not.toEqual(shuffled(items, 2));
  });
});
