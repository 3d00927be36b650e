import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compressionOfHead, readDecompressed } from '../../src/formats/decompressed.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evicpress-archive-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** `zstd -19 --check` of a text, and that text. */
const COMPRESSED = Buffer.from(
  'KLUv/WSQAWUDANLEERaQ5wFLwaEn1c5mpe8OW9OhDDMVj1kJ5IDOtcbYWkqlhBA54OlygH6egxppltS7fEEoRF+4c4hf4Fu9izHm9HNs5edp67sREaAQyFv/rgawY2OUZkrNlM4szSmZU5oJUqokr5It8MmLyMNl78Q=',
  'base64',
);
const TEXT = Array.from(
  { length: 8 },
  (_, i) =>
    `{"timestamp": ${i + 1}000, "input_length": 1024, "output_length": 1, "hash_ids": [1, ${i + 1}]}\n`,
).join('');

/** Longer than the standard allows: every block takes as long as moving the whole window. */
const BLOCK_BYTES = 1 << 20;

/** A zstd frame of uncompressed blocks, with a window of 2^log bytes (RFC 8878, 3.1.1). */
function frame(content: Buffer<ArrayBuffer>, log = 17): Buffer<ArrayBuffer> {
  const pieces = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3])];
  for (let at = 0; at < content.length; at += BLOCK_BYTES) {
    const block = content.subarray(at, at + BLOCK_BYTES);
    const header = Buffer.alloc(3);
    header.writeUIntLE((block.length << 3) | (at + block.length === content.length ? 1 : 0), 0, 3);
    pieces.push(header, block);
  }
  return Buffer.concat(pieces);
}

/** A frame that zstd passes over. @param kind its last four bits. */
function skippable(kind: number, length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.alloc(8 + length, 7);
  bytes.writeUInt32LE(0x184d2a50 + kind, 0);
  bytes.writeUInt32LE(length, 4);
  return bytes;
}

async function decompressed(...pieces: Buffer[]): Promise<Buffer> {
  const path = join(folder, 'archive');
  await writeFile(path, Buffer.concat(pieces));
  const chunks: Buffer[] = [];
  for await (const chunk of readDecompressed(path)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('an archive', () => {
  it.each<[string, Buffer[], string]>([
    ['of zstd', [COMPRESSED], TEXT],
    ['of several zstd frames', [COMPRESSED, frame(Buffer.from('and\n')), COMPRESSED], `${TEXT}and\n${TEXT}`],
    ['that begins with a skippable frame', [skippable(0, 5), COMPRESSED], TEXT],
    ['with empty skippable frames', [skippable(15, 0), skippable(3, 0), COMPRESSED, skippable(1, 0)], TEXT],
    ['with a long skippable frame', [COMPRESSED, skippable(9, 3 << 20), COMPRESSED], TEXT + TEXT],
    ['of several gzip members', [gzipSync(TEXT), gzipSync('and\n'), gzipSync(TEXT)], `${TEXT}and\n${TEXT}`],
    ['of gzip, filled up with zeros', [gzipSync(TEXT), Buffer.alloc(512)], TEXT],
  ])('%s is read as a whole', async (_, pieces, text) => {
    expect(compressionOfHead(Buffer.concat(pieces).subarray(0, 4))).toBeDefined();
    expect((await decompressed(...pieces)).toString()).toBe(text);
  });

  it.each<[string, Buffer[]]>([
    ['zstd', [COMPRESSED.subarray(0, -20)]],
    ['a skippable frame', [COMPRESSED, skippable(0, 100).subarray(0, 50)]],
    ['gzip', [gzipSync(TEXT).subarray(0, -20)]],
    ['gzip, with something else behind it', [gzipSync(TEXT), Buffer.from('junk')]],
  ])('that is damaged or cut short is refused: %s', (_, pieces) =>
    expect(decompressed(...pieces)).rejects.toThrow(),
  );

  it('with a zstd window above 64 MB is read as far as nothing can refer back farther', async () => {
    const small = Buffer.from(TEXT);
    expect((await decompressed(frame(small, 27))).equals(small)).toBe(true);
    const large = Buffer.alloc(2 ** 26);
    await expect(decompressed(frame(large, 26))).rejects.toThrow(/window above 64 MB.*zstd -d/);
  });
});
