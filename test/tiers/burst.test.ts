import { describe, expect, it } from 'vitest';
import { shuffled } from '../../src/random.js';
import { findBurst, type TimedWaves, withoutWaves } from '../../src/tiers/burst.js';
import { fitTransfer, mean } from '../../src/tiers/fit.js';
import { randomFrom } from '../support/instances.js';

const SIZES = [1, 1, 4, 4, 16, 16, 64, 64, 256, 256, 1, 4, 16, 64].map((megabytes) => megabytes * 1e6);
const WAVES = 4;

/** Points of one stream in a shuffled order, each wave as a law of size and of waves before it says. */
function measured(seconds: (bytes: number, wave: number) => number): TimedWaves[] {
  return shuffled(SIZES, 5).map((bytes, i) => ({
    bytes,
    streams: 1,
    pass: 1,
    waves: Array.from({ length: WAVES }, (_, wave) => seconds(bytes, WAVES * i + wave)),
  }));
}

function burstOf(points: readonly TimedWaves[]) {
  const samples = points.map((point) => ({ ...point, seconds: mean(point.waves) }));
  return findBurst(points, fitTransfer(samples).transfer);
}

describe('findBurst', () => {
  it('finds the wave at which a bucket ran empty, and both speeds', () => {
    const burst = burstOf(measured((bytes, wave) => bytes / (wave < 18 ? 1e9 : 0.4e9)));
    expect(burst?.waves).toBe(18);
    expect(burst!.fastBytesPerSecond / 1e9).toBeCloseTo(1, 6);
    expect(burst!.slowBytesPerSecond / 0.4e9).toBeCloseTo(1, 6);
  });

  it('sees none in a steady device with noise', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = randomFrom(seed);
      expect(burstOf(measured((bytes) => (bytes / 1e9) * (0.8 + 0.4 * random())))).toBeUndefined();
    }
  });

  it('takes neither a large object for the end of a burst, nor a few fast waves for one', () => {
    expect(burstOf(measured((bytes) => 0.01 + bytes / 1e9))).toBeUndefined();
    expect(burstOf(measured((bytes, wave) => bytes / (wave < 3 ? 100e9 : 1e9)))).toBeUndefined();
  });
});

describe('withoutWaves', () => {
  it('cuts across points', () => {
    const points = measured((_, wave) => wave);
    const rest = withoutWaves(points, WAVES + 1);
    expect(rest).toHaveLength(points.length - 1);
    expect(rest[0]!.waves).toEqual([5, 6, 7]);
    expect(rest[1]!.waves).toEqual([8, 9, 10, 11]);
  });
});
