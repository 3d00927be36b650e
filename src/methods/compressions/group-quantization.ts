import type { Compression, KvCache } from './cache.js';
import { fromHalf, toHalf } from './half.js';

/** Values that share a scale and an offset: 64, the default of Hugging Face's quantized caches. */
export const GROUP_SIZE = 64;

/** A tensor [heads, tokens, headSize] at a few bits: code c of a group means offset + scale · c. */
interface QuantizedTensor {
  readonly codes: Uint8Array;
  /** Half-precision bits. */
  readonly scales: Uint16Array;
  readonly offsets: Uint16Array;
}

/**
 * Quantization as in KIVI (Liu et al., arXiv 2402.02750): keys per channel over groups of 64 tokens, values per
 * token over the channels of a head, each group with its own scale and offset in half precision. Unlike KIVI it
 * keeps no window of recent tokens at full precision: a stored context has no recent tokens.
 */
export function groupQuantization(name: string, bits: 2 | 3 | 4 | 8): Compression {
  return {
    name,
    fixedRatio: 1 - bits / 16,
    compress(cache) {
      const layers = cache.layers.map(({ keys, values }) => ({
        keys: quantize(keys, cache, bits, true),
        values: quantize(values, cache, bits, false),
      }));
      const storedBytes = layers.reduce((sum, { keys, values }) => sum + bytesOf(keys) + bytesOf(values), 0);
      const { tokens, kvHeads, headSize } = cache;
      return {
        storedBytes,
        decompress: () => ({
          tokens,
          kvHeads,
          headSize,
          layers: layers.map(({ keys, values }) => ({
            keys: dequantize(keys, cache, bits, true),
            values: dequantize(values, cache, bits, false),
          })),
        }),
      };
    },
  };
}

/**
 * Visits every group: where it starts, how far apart its values lie, how many they are. Per channel a group is up
 * to 64 tokens of one channel, else up to 64 channels of one token.
 */
function forEachGroup(
  { tokens, kvHeads, headSize }: KvCache,
  perChannel: boolean,
  visit: (group: number, start: number, stride: number, count: number) => void,
): void {
  let group = 0;
  for (let head = 0; head < kvHeads; head++) {
    const first = head * tokens * headSize;
    if (perChannel) {
      for (let token = 0; token < tokens; token += GROUP_SIZE) {
        const count = Math.min(GROUP_SIZE, tokens - token);
        for (let channel = 0; channel < headSize; channel++) {
          visit(group++, first + token * headSize + channel, headSize, count);
        }
      }
    } else {
      for (let row = first; row < first + tokens * headSize; row += headSize) {
        for (let channel = 0; channel < headSize; channel += GROUP_SIZE) {
          visit(group++, row + channel, 1, Math.min(GROUP_SIZE, headSize - channel));
        }
      }
    }
  }
}

function countGroups({ tokens, kvHeads, headSize }: KvCache, perChannel: boolean): number {
  const groups = (length: number) => Math.ceil(length / GROUP_SIZE);
  return kvHeads * (perChannel ? groups(tokens) * headSize : tokens * groups(headSize));
}

function quantize(tensor: Float32Array, cache: KvCache, bits: number, perChannel: boolean): QuantizedTensor {
  const levels = 2 ** bits - 1;
  const scales = new Uint16Array(countGroups(cache, perChannel));
  const offsets = new Uint16Array(scales.length);
  const codes = new Uint8Array(Math.ceil((tensor.length * bits) / 8));
  forEachGroup(cache, perChannel, (group, start, stride, count) => {
    const end = start + stride * count;
    let lowest = tensor[start]!;
    let highest = lowest;
    for (let at = start; at < end; at += stride) {
      const value = tensor[at]!;
      if (value < lowest) lowest = value;
      else if (value > highest) highest = value;
    }
    scales[group] = toHalf((highest - lowest) / levels);
    offsets[group] = toHalf(lowest);
    const scale = fromHalf(scales[group]!);
    const offset = fromHalf(offsets[group]!);
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let at = start; at < end; at += stride) {
      const code = Math.min(Math.max(Math.round((tensor[at]! - offset) * inverse), 0), levels);
      const bit = at * bits;
      codes[bit >> 3]! |= code << (bit & 7);
      // Three bits may lie across two bytes.
      if ((bit & 7) + bits > 8) codes[(bit >> 3) + 1]! |= code >> (8 - (bit & 7));
    }
  });
  return { codes, scales, offsets };
}

function dequantize(
  { codes, scales, offsets }: QuantizedTensor,
  cache: KvCache,
  bits: number,
  perChannel: boolean,
): Float32Array {
  const tensor = new Float32Array(cache.kvHeads * cache.tokens * cache.headSize);
  const mask = 2 ** bits - 1;
  forEachGroup(cache, perChannel, (group, start, stride, count) => {
    const scale = fromHalf(scales[group]!);
    const offset = fromHalf(offsets[group]!);
    const end = start + stride * count;
    for (let at = start; at < end; at += stride) {
      const bit = at * bits;
      const twoBytes = codes[bit >> 3]! | ((codes[(bit >> 3) + 1] ?? 0) << 8);
      tensor[at] = offset + scale * ((twoBytes >> (bit & 7)) & mask);
    }
  });
  return tensor;
}

function bytesOf({ codes, scales, offsets }: QuantizedTensor): number {
  return codes.byteLength + scales.byteLength + offsets.byteLength;
}
