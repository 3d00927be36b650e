import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { undoRotaryPermutation } from '../../../src/methods/embedded/decoder-graph.js';
import { dequantize, readGguf } from '../../../src/methods/embedded/gguf.js';
import { ProtobufMessage } from '../../../src/methods/embedded/protobuf.js';
import { readSafetensors } from '../../../src/methods/embedded/safetensors.js';
import { readZipEntry } from '../../../src/methods/embedded/zip.js';

describe('protobuf', () => {
  it('writes the bytes of the encoding guide: field 1 = 150, field 2 = "testing"', () => {
    const message = new ProtobufMessage().integer(1, 150).text(2, 'testing');
    expect(Buffer.concat(message.pieces).toString('hex')).toBe('089601120774657374696e67');
    expect(message.byteLength).toBe(12);
  });

  it('nests messages by their length', () => {
    const outer = new ProtobufMessage().message(3, new ProtobufMessage().integer(1, 150));
    expect(Buffer.concat(outer.pieces).toString('hex')).toBe('1a03089601');
  });
});

describe('GGUF', () => {
  it('reads metadata and tensors, 4-bit and 8-bit blocks included', () => {
    const q4 = Buffer.alloc(20);
    q4.writeUInt16LE(0x3c00, 0); // scale 1
    q4.writeUInt16LE(0xc000, 2); // minimum −2
    for (let i = 0; i < 16; i++) q4[4 + i] = i | ((15 - i) << 4);
    const q8 = Buffer.alloc(34);
    q8.writeUInt16LE(0x3800, 0); // scale 0.5
    for (let i = 0; i < 32; i++) q8.writeInt8(i - 16, 2 + i);
    const gguf = readGguf(
      ggufFile({ 'general.architecture': 'llama' }, [
        { name: 'a', type: 3, shape: [32], data: q4 },
        { name: 'b', type: 8, shape: [16, 2], data: q8 },
      ]),
      'test.gguf',
    );
    expect(gguf.metadata.get('general.architecture')).toBe('llama');
    const a = Array.from({ length: 16 }, (_, i) => i - 2);
    expect(Array.from(dequantize(gguf.tensors.get('a')!))).toEqual([...a, ...a.toReversed()]);
    expect(gguf.tensors.get('b')!.shape).toEqual([2, 16]);
    expect(Array.from(dequantize(gguf.tensors.get('b')!))).toEqual(
      Array.from({ length: 32 }, (_, i) => (i - 16) / 2),
    );
  });

  it('says what is wrong with a file that is none, is cut short, or has an unknown type', () => {
    expect(() => readGguf(new Uint8Array(64), 'x.gguf')).toThrow(
      'x.gguf: not a GGUF file of version 2 or 3.',
    );
    const file = ggufFile({}, [{ name: 'a', type: 0, shape: [32], data: Buffer.alloc(64) }]);
    expect(() => readGguf(file, 'x.gguf')).toThrow('x.gguf: the file is cut short inside tensor a.');
    const unknown = ggufFile({}, [{ name: 'a', type: 14, shape: [256], data: Buffer.alloc(64) }]);
    expect(() => readGguf(unknown, 'x.gguf')).toThrow('element type 14, which is not supported');
  });
});

it('undoes the rotary permutation of GGUF: neighbours (2i, 2i + 1) back to (i, i + half)', () => {
  const stored = Float32Array.from([0, 2, 1, 3, 4, 6, 5, 7]);
  expect(Array.from(undoRotaryPermutation(stored, 2, 1))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

it('reads safetensors', () => {
  const header = Buffer.from(JSON.stringify({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }));
  const file = Buffer.alloc(8 + header.byteLength + 8);
  file.writeBigUInt64LE(BigInt(header.byteLength), 0);
  header.copy(file, 8);
  file.writeFloatLE(1.5, 8 + header.byteLength);
  file.writeFloatLE(-2, 12 + header.byteLength);
  expect(Array.from(readSafetensors(file, 'x').get('a')!.data)).toEqual([1.5, -2]);
  expect(() => readSafetensors(new Uint8Array(4), 'x.safetensors')).toThrow(
    'x.safetensors: not a safetensors file.',
  );
});

describe('zip', () => {
  let folder: string;
  afterEach(() => rm(folder, { recursive: true }));

  it('reads stored and deflated files, and names what is missing', async () => {
    folder = await mkdtemp(join(tmpdir(), 'evicpress-zip-'));
    const path = join(folder, 'a.whl');
    await writeFile(
      path,
      zipFile({ 'a/stored.txt': [0, 'plain'], 'a/deflated.txt': [8, 'deflated '.repeat(100)] }),
    );
    expect(Buffer.from(await readZipEntry(path, 'a/stored.txt')).toString()).toBe('plain');
    expect(Buffer.from(await readZipEntry(path, 'a/deflated.txt')).toString()).toBe('deflated '.repeat(100));
    await expect(readZipEntry(path, 'b')).rejects.toThrow('there is no b in this archive');
    await writeFile(path, 'no archive at all, only some text that is longer than the record at the end');
    await expect(readZipEntry(path, 'b')).rejects.toThrow('not a zip archive, or cut short');
  });
});

function ggufFile(
  metadata: Readonly<Record<string, string>>,
  tensors: readonly { name: string; type: number; shape: readonly number[]; data: Buffer }[],
): Uint8Array {
  const u32 = (value: number) => {
    const b = Buffer.alloc(4);
    b.writeUInt32LE(value);
    return b;
  };
  const u64 = (value: number) => {
    const b = Buffer.alloc(8);
    b.writeBigUInt64LE(BigInt(value));
    return b;
  };
  const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
  const entries = Object.entries(metadata);
  const parts = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(entries.length)];
  for (const [key, value] of entries) parts.push(text(key), u32(8), text(value));
  const blocks: Buffer[] = [];
  for (const { name, type, shape, data } of tensors) {
    parts.push(
      text(name),
      u32(shape.length),
      ...shape.map(u64),
      u32(type),
      u64(Buffer.concat(blocks).byteLength),
    );
    blocks.push(Buffer.concat([data, Buffer.alloc((32 - (data.byteLength % 32)) % 32)]));
  }
  const head = Buffer.concat(parts);
  return Buffer.concat([head, Buffer.alloc((32 - (head.byteLength % 32)) % 32), ...blocks]);
}

function zipFile(files: Readonly<Record<string, readonly [compression: number, content: string]>>): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  for (const [name, [compression, content]] of Object.entries(files)) {
    const packed = compression === 8 ? deflateRawSync(content) : Buffer.from(content);
    const sum = typeof crc32 === 'function' ? crc32(content) : 0;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(compression, 8);
    local.writeUInt32LE(sum, 14);
    local.writeUInt32LE(packed.byteLength, 18);
    local.writeUInt32LE(content.length, 22);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    local.copy(entry, 10, 8, 28);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(Buffer.concat(locals).byteLength, 42);
    directory.push(entry, Buffer.from(name));
    locals.push(local, Buffer.from(name), packed);
  }
  const body = Buffer.concat(locals);
  const index = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(index.byteLength, 12);
  end.writeUInt32LE(body.byteLength, 16);
  return Buffer.concat([body, index, end]);
}
