import { describe, expect, it } from 'vitest';
import { fullBytes } from '../../../src/methods/compressions/cache.js';
import { compressions, findCompression } from '../../../src/methods/compressions/index.js';
import { syntheticCache } from './synthetic.js';

const droppers = compressions.filter(({ fixedRatio }) => fixedRatio === undefined).map(({ name }) => name);
const quantizers = compressions.filter(({ fixedRatio }) => fixedRatio !== undefined).map(({ name }) => name);

describe.each(droppers)('%s', (name) => {
  const cache = syntheticCache();

  it.each([0.1, 0.5, 0.9])(
    'keeps the promised share of every head at ratio %f, with the bytes to match',
    (ratio) => {
      const compressed = findCompression(name).compress(cache, ratio);
      const kept = Math.trunc(cache.tokens * (1 - ratio));
      expect(compressed.decompress().tokens).toBe(kept);
      expect(compressed.storedBytes).toBe((fullBytes(cache) / cache.tokens) * kept);
    },
  );

  it('keeps whole tokens in their order, keys and values of the same ones', () => {
    const { layers, tokens } = findCompression(name).compress(cache, 0.6).decompress();
    for (const [index, { keys, values }] of layers.entries()) {
      for (let row = 0; row < cache.kvHeads * tokens; row++) {
        const token = Math.round(values[row * cache.headSize]!);
        if (row % tokens > 0) expect(token).toBeGreaterThan(Math.round(values[(row - 1) * cache.headSize]!));
        const original = (Math.floor(row / tokens) * cache.tokens + token) * cache.headSize;
        const key = keys.subarray(row * cache.headSize, (row + 1) * cache.headSize);
        expect(key).toEqual(cache.layers[index]!.keys.subarray(original, original + cache.headSize));
      }
    }
  });

  it('changes nothing at ratio 0 and does not touch the original', () => {
    const before = cache.layers[0]!.keys.slice();
    expect(findCompression(name).compress(cache, 0).decompress()).toBe(cache);
    findCompression(name).compress(cache, 0.7);
    expect(cache.layers[0]!.keys).toEqual(before);
  });
});

describe.each(quantizers)('%s', (name) => {
  const cache = syntheticCache({ tokens: 130, headSize: 64 });
  const { fixedRatio, compress } = findCompression(name);

  it('stores about the bytes its bits say, scales included', () => {
    const { storedBytes } = compress(cache, fixedRatio!);
    const share = storedBytes / fullBytes(cache);
    expect(share).toBeGreaterThanOrEqual(1 - fixedRatio!);
    expect(share).toBeLessThan(1 - fixedRatio! + 0.05);
  });

  it('gives back every value within half a step of its group', () => {
    const { layers } = compress(cache, fixedRatio!).decompress();
    // Keys span [−2, 2]: the widest step is 4 / levels, or 2⁻³ of the largest value for E4M3, and scales are rounded.
    const step = name === 'fp8' ? 2 / 8 : 4 / (2 ** (16 * (1 - fixedRatio!)) - 1);
    for (const [index, { keys }] of layers.entries()) {
      const errors = keys.map((key, i) => Math.abs(key - cache.layers[index]!.keys[i]!));
      expect(Math.max(...errors)).toBeLessThanOrEqual(step * 0.5 * 1.02);
      expect(Math.max(...errors)).toBeGreaterThan(step * 0.1);
    }
  });
});

describe('combinations', () => {
  const cache = syntheticCache({ tokens: 256, headSize: 64 });

  it.each([0.8, 0.9])('keydiff+int4 removes %f of the whole', (ratio) => {
    const compressed = findCompression('keydiff+int4').compress(cache, ratio);
    expect(compressed.decompress().tokens).toBe(Math.trunc(256 * (1 - (1 - (1 - ratio) / 0.25))));
    const share = compressed.storedBytes / fullBytes(cache);
    expect(share).toBeGreaterThanOrEqual((1 - ratio) * 0.97);
    // Scales and offsets of groups of 64, the last of them not full.
    expect(share).toBeLessThan((1 - ratio) * 1.2);
  });

  it('is the dropper followed by the quantizer', () => {
    const dropped = findCompression('knorm').compress(cache, 0.5).decompress();
    const quantized = findCompression('int8')
      .compress({ ...dropped, queries: cache.queries }, 0.5)
      .decompress();
    expect(findCompression('knorm+int8').compress(cache, 0.75).decompress()).toEqual(quantized);
  });

  it('refuses a ratio below what quantizing removes by itself', () => {
    expect(() => findCompression('keydiff+int4').compress(cache, 0.6)).toThrow(
      'quantizing alone removes 0.75',
    );
  });

  it.each(['int4+keydiff', 'keydiff+knorm', 'keydiff+int4+int8'])('refuses %s', (name) => {
    expect(() => findCompression(name)).toThrow('a combination is a token dropper, a plus and a quantizer');
  });
});

it('suggests the nearest name', () => {
  expect(() => findCompression('keydif')).toThrow('Did you mean keydiff?');
});

it('snapkv says that a context is too short for its window', () => {
  expect(() => findCompression('snapkv').compress(syntheticCache({ tokens: 64 }), 0.5)).toThrow(
    'snapkv needs a context of more than 64 tokens; this one has 64.',
  );
});

it('counts the time of scores made for an earlier ratio', () => {
  const cache = syntheticCache();
  expect(findCompression('keydiff').compress(cache, 0.5).reusedSeconds).toBe(0);
  expect(findCompression('keydiff').compress(cache, 0.7).reusedSeconds).toBeGreaterThan(0);
});
