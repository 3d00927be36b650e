import { EvicpressError } from '../../errors.js';
import { fromHalf } from '../compressions/half.js';

export type GgufValue = string | number | boolean | readonly GgufValue[];

export interface GgufTensor {
  readonly name: string;
  /** Rows last: a matrix of `out` rows of `in` values has shape [out, in]. */
  readonly shape: readonly number[];
  readonly type: number;
  readonly data: Uint8Array;
}

export interface GgufFile {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** Element types we read: bytes per block, values per block, and how a block becomes numbers. */
interface GgmlType {
  readonly name: string;
  readonly blockBytes: number;
  readonly blockValues: number;
  readonly decode: (view: DataView, at: number, out: Float32Array, to: number) => void;
}

const GGML_TYPES: Readonly<Record<number, GgmlType>> = {
  0: {
    name: 'F32',
    blockBytes: 4,
    blockValues: 1,
    decode: (view, at, out, to) => {
      out[to] = view.getFloat32(at, true);
    },
  },
  1: {
    name: 'F16',
    blockBytes: 2,
    blockValues: 1,
    decode: (view, at, out, to) => {
      out[to] = fromHalf(view.getUint16(at, true));
    },
  },
  2: { name: 'Q4_0', blockBytes: 18, blockValues: 32, decode: decodeQ4(2, false) },
  3: { name: 'Q4_1', blockBytes: 20, blockValues: 32, decode: decodeQ4(4, true) },
  8: { name: 'Q8_0', blockBytes: 34, blockValues: 32, decode: decodeQ8 },
};

/**
 * Reads a GGUF file (version 2 or 3, little endian) that lies in memory; tensors are views into it.
 * Layout: the specification in the ggml repository, docs/gguf.md.
 * @throws EvicpressError when it is not GGUF or uses an element type we cannot read.
 */
export function readGguf(bytes: Uint8Array, path: string): GgufFile {
  const reader = new Reader(bytes);
  const version = bytes.byteLength < 24 || reader.u32() !== 0x46554747 ? 0 : reader.u32();
  if (version !== 2 && version !== 3) throw new EvicpressError(`${path}: not a GGUF file of version 2 or 3.`);
  const tensorCount = reader.u64();
  const metadataCount = reader.u64();
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < metadataCount; i++) {
    const key = reader.text();
    metadata.set(key, reader.value(reader.u32()));
  }
  const entries = Array.from({ length: tensorCount }, () => ({
    name: reader.text(),
    shape: Array.from({ length: reader.u32() }, () => reader.u64()).reverse(),
    type: reader.u32(),
    offset: reader.u64(),
  }));
  const alignment = Number(metadata.get('general.alignment') ?? 32);
  const dataStart = Math.ceil(reader.at / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const { name, shape, type, offset } of entries) {
    const kind = GGML_TYPES[type];
    if (kind === undefined)
      throw new EvicpressError(
        `${path}: tensor ${name} has element type ${type}, which is not supported. Use F32, F16, Q4_0, Q4_1 or Q8_0.`,
      );
    const byteLength = (shape.reduce((a, b) => a * b, 1) / kind.blockValues) * kind.blockBytes;
    const start = dataStart + offset;
    if (start + byteLength > bytes.byteLength)
      throw new EvicpressError(`${path}: the file is cut short inside tensor ${name}.`);
    tensors.set(name, { name, shape, type, data: bytes.subarray(start, start + byteLength) });
  }
  return { metadata, tensors };
}

/** The values of a tensor as 32-bit floats, in the order of its shape. */
export function dequantize(tensor: GgufTensor): Float32Array {
  const kind = GGML_TYPES[tensor.type]!;
  const view = new DataView(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  const blocks = tensor.data.byteLength / kind.blockBytes;
  const values = new Float32Array(blocks * kind.blockValues);
  for (let block = 0; block < blocks; block++)
    kind.decode(view, block * kind.blockBytes, values, block * kind.blockValues);
  return values;
}

/** A block of 4-bit values: a scale, a minimum (Q4_1) or a fixed centre of 8 (Q4_0), then 16 bytes of two nibbles. */
function decodeQ4(headBytes: number, hasMinimum: boolean): GgmlType['decode'] {
  return (view, at, out, to) => {
    const scale = fromHalf(view.getUint16(at, true));
    const minimum = hasMinimum ? fromHalf(view.getUint16(at + 2, true)) : -8 * scale;
    for (let i = 0; i < 16; i++) {
      const pair = view.getUint8(at + headBytes + i);
      out[to + i] = scale * (pair & 15) + minimum;
      out[to + i + 16] = scale * (pair >> 4) + minimum;
    }
  };
}

function decodeQ8(view: DataView, at: number, out: Float32Array, to: number): void {
  const scale = fromHalf(view.getUint16(at, true));
  for (let i = 0; i < 32; i++) out[to + i] = scale * view.getInt8(at + 2 + i);
}

class Reader {
  at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(): number {
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }

  u64(): number {
    this.at += 8;
    return Number(this.view.getBigUint64(this.at - 8, true));
  }

  text(): string {
    const length = this.u64();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }

  /** A metadata value; the numbers are the type codes of the specification. */
  value(type: number): GgufValue {
    const at = this.at;
    const advance = (bytes: number) => {
      this.at += bytes;
    };
    switch (type) {
      case 0:
        advance(1);
        return this.view.getUint8(at);
      case 1:
        advance(1);
        return this.view.getInt8(at);
      case 2:
        advance(2);
        return this.view.getUint16(at, true);
      case 3:
        advance(2);
        return this.view.getInt16(at, true);
      case 4:
        return this.u32();
      case 5:
        advance(4);
        return this.view.getInt32(at, true);
      case 6:
        advance(4);
        return this.view.getFloat32(at, true);
      case 7:
        advance(1);
        return this.view.getUint8(at) !== 0;
      case 8:
        return this.text();
      case 9: {
        const itemType = this.u32();
        return Array.from({ length: this.u64() }, () => this.value(itemType));
      }
      case 10:
        return this.u64();
      case 11:
        advance(8);
        return Number(this.view.getBigInt64(at, true));
      case 12:
        advance(8);
        return this.view.getFloat64(at, true);
      default:
        throw new EvicpressError(`GGUF metadata of unknown type ${type}.`);
    }
  }
}
