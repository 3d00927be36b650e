import { describe, expect, it } from 'vitest';
import { streamsWithin } from '../../src/tiers/dram.js';

describe('memory that is short', () => {
  const cacheBytes = 100 * 4096;
  const alone = 8 * cacheBytes;

  it('leaves out the numbers of streams whose arenas do not fit, and keeps the others', () => {
    expect(streamsWithin([1, 2, 4, 8], 3 * alone, cacheBytes)).toEqual([1, 2, 4, 8]);
    // 1 + 1/2 + 1/3 + 1/4 of what one thread takes.
    expect(streamsWithin([1, 2, 4, 8], 2.1 * alone, cacheBytes)).toEqual([1, 2, 4]);
    expect(streamsWithin([1, 2, 4, 8], 1.4 * alone, cacheBytes)).toEqual([1]);
  });

  it('has nothing to measure with where one copy past the cache does not fit', () => {
    expect(streamsWithin([1, 2], alone - 1, cacheBytes)).toEqual([]);
  });
});
