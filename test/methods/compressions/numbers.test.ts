import { describe, expect, it } from 'vitest';
import { E4M3_VALUES, toE4m3 } from '../../../src/methods/compressions/fp8.js';
import { fromHalf, toHalf } from '../../../src/methods/compressions/half.js';

describe('half precision', () => {
  it('reads back every number it can hold', () => {
    for (let code = 0; code < 0x7c00; code++) expect(toHalf(fromHalf(code))).toBe(code);
  });

  it.each([
    [0, 0x0000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65520, 0x7c00],
    [2 ** -24, 0x0001],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
  ])('rounds %f to 0x%s, ties to even', (value, code) => {
    expect(toHalf(value)).toBe(code);
  });
});

describe('E4M3', () => {
  it('reads back every number it can hold', () => {
    for (let code = 0; code < 0x7f; code++) expect(toE4m3(E4M3_VALUES[code]!)).toBe(code);
  });

  it.each([
    [448, 448],
    [1000, 448],
    [-1000, -448],
    [17, 16],
    [19, 20],
    [2 ** -9, 2 ** -9],
    [2 ** -11, 0],
    [0.3, 0.3125],
  ])('rounds %f to %f', (value, nearest) => {
    expect(E4M3_VALUES[toE4m3(value)]).toBe(nearest);
  });
});
