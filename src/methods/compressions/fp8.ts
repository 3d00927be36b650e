import type { Compression, KvCache } from './cache.js';
import { roundToEven } from './half.js';

/** The largest number of the format. */
const LARGEST = 448;
/** Below 2⁻⁶ numbers are subnormal, in steps of 2⁻⁹. */
const SMALLEST_NORMAL = 2 ** -6;

/**
 * 8-bit floating point, E4M3 (4 bits of exponent, 3 of fraction; Micikevicius et al., arXiv 2209.05433): what
 * engines store for `--kv-cache-dtype fp8`, with one scale for each layer's keys and values.
 */
export const fp8: Compression = {
  name: 'fp8',
  fixedRatio: 0.5,
  compress(cache) {
    const layers = cache.layers.map(({ keys, values }) => ({ keys: encode(keys), values: encode(values) }));
    const storedBytes = layers.reduce((sum, { keys, values }) => sum + bytesOf(keys) + bytesOf(values), 0);
    const { tokens, kvHeads, headSize } = cache;
    return {
      storedBytes,
      decompress: (): KvCache => ({
        tokens,
        kvHeads,
        headSize,
        layers: layers.map(({ keys, values }) => ({ keys: decode(keys), values: decode(values) })),
      }),
    };
  },
};

interface Fp8Tensor {
  readonly codes: Uint8Array;
  readonly scale: number;
}

/** Bytes of a scale: one 32-bit float. */
const SCALE_BYTES = 4;

function bytesOf({ codes }: Fp8Tensor): number {
  return codes.byteLength + SCALE_BYTES;
}

function encode(tensor: Float32Array): Fp8Tensor {
  let largest = 0;
  for (const value of tensor) largest = Math.max(largest, Math.abs(value));
  const scale = Math.fround(largest === 0 ? 1 : largest / LARGEST);
  const codes = new Uint8Array(tensor.length);
  for (let i = 0; i < tensor.length; i++) codes[i] = toE4m3(tensor[i]! / scale);
  return { codes, scale };
}

function decode({ codes, scale }: Fp8Tensor): Float32Array {
  const tensor = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) tensor[i] = E4M3_VALUES[codes[i]!]! * scale;
  return tensor;
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The code of the nearest E4M3 number, ties to even; numbers beyond ±448 become ±448. */
export function toE4m3(value: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 24) & 0x80;
  const magnitude = Math.min(Math.abs(value), LARGEST);
  if (magnitude < SMALLEST_NORMAL) return sign | roundToEven(magnitude * 512);
  float[0] = magnitude;
  // Round the 23-bit fraction to 3 bits; a carry moves into the exponent by itself. Bias 127 becomes 7.
  const rounded = (bits[0]! + 0x7ffff + ((bits[0]! >>> 20) & 1)) >>> 20;
  return sign | (rounded - ((127 - 7) << 3));
}

/** The number behind every code; 0x7f and 0xff are not numbers. */
export const E4M3_VALUES = Float32Array.from({ length: 256 }, (_, code) => {
  const exponent = (code >> 3) & 15;
  const fraction = code & 7;
  if (exponent === 15 && fraction === 7) return Number.NaN;
  const magnitude = exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7);
  return code & 0x80 ? -magnitude : magnitude;
});
