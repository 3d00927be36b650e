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
export function groupQuantization(name: string, bits: 8 | 4): Compression {
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

/** The groups of one head: either [tokens / 64 rounded up][channel], or [token][channels / 64 rounded up]. */
function groupsPerHead({ tokens, headSize }: KvCache, perChannel: boolean): number {
  return perChannel ? Math.ceil(tokens / GROUP_SIZE) * headSize : tokens * Math.ceil(headSize / GROUP_SIZE);
}

function groupOf(token: number, channel: number, headSize: number, perChannel: boolean): number {
  return perChannel
    ? Math.floor(token / GROUP_SIZE) * headSize + channel
    : token * Math.ceil(headSize / GROUP_SIZE) + Math.floor(channel / GROUP_SIZE);
}

function quantize(tensor: Float32Array, cache: KvCache, bits: 8 | 4, perChannel: boolean): QuantizedTensor {
  const { tokens, kvHeads, headSize } = cache;
  const perHead = groupsPerHead(cache, perChannel);
  const lowest = new Float32Array(perHead * kvHeads).fill(Number.POSITIVE_INFINITY);
  const highest = new Float32Array(perHead * kvHeads).fill(Number.NEGATIVE_INFINITY);
  for (let row = 0; row < kvHeads * tokens; row++) {
    const first = Math.floor(row / tokens) * perHead;
    for (let channel = 0; channel < headSize; channel++) {
      const group = first + groupOf(row % tokens, channel, headSize, perChannel);
      const value = tensor[row * headSize + channel]!;
      if (value < lowest[group]!) lowest[group] = value;
      if (value > highest[group]!) highest[group] = value;
    }
  }
  const levels = 2 ** bits - 1;
  const scales = Uint16Array.from(lowest, (low, group) => toHalf((highest[group]! - low) / levels));
  const offsets = Uint16Array.from(lowest, toHalf);
  const inverse = Float32Array.from(scales, (scale) => (scale === 0 ? 0 : 1 / fromHalf(scale)));
  const offset = Float32Array.from(offsets, fromHalf);
  const codes = new Uint8Array((tensor.length * bits) / 8);
  for (let row = 0; row < kvHeads * tokens; row++) {
    const first = Math.floor(row / tokens) * perHead;
    for (let channel = 0; channel < headSize; channel++) {
      const group = first + groupOf(row % tokens, channel, headSize, perChannel);
      const at = row * headSize + channel;
      const code = Math.min(
        Math.max(Math.round((tensor[at]! - offset[group]!) * inverse[group]!), 0),
        levels,
      );
      if (bits === 8) codes[at] = code;
      else codes[at >> 1]! |= at % 2 === 0 ? code : code << 4;
    }
  }
  return { codes, scales, offsets };
}

function dequantize(
  quantized: QuantizedTensor,
  cache: KvCache,
  bits: 8 | 4,
  perChannel: boolean,
): Float32Array {
  const { tokens, kvHeads, headSize } = cache;
  const { codes } = quantized;
  const perHead = groupsPerHead(cache, perChannel);
  const scale = Float32Array.from(quantized.scales, fromHalf);
  const offset = Float32Array.from(quantized.offsets, fromHalf);
  const tensor = new Float32Array(kvHeads * tokens * headSize);
  for (let row = 0; row < kvHeads * tokens; row++) {
    const first = Math.floor(row / tokens) * perHead;
    for (let channel = 0; channel < headSize; channel++) {
      const group = first + groupOf(row % tokens, channel, headSize, perChannel);
      const at = row * headSize + channel;
      const code = bits === 8 ? codes[at]! : (codes[at >> 1]! >> ((at & 1) * 4)) & 15;
      tensor[at] = offset[group]! + scale[group]! * code;
    }
  }
  return tensor;
}

function bytesOf({ codes, scales, offsets }: QuantizedTensor): number {
  return codes.byteLength + scales.byteLength + offsets.byteLength;
}
