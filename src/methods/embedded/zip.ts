import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { EvicpressError } from '../../errors.js';

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;

/**
 * Reads one file out of a zip archive (a Python wheel is one), stored or deflated.
 * @param name the file's path in the archive.
 * @throws EvicpressError when the archive is damaged or has no such file.
 */
export async function readZipEntry(path: string, name: string): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const entry = findEntry(await readDirectory(file, path), name);
    if (entry === undefined) throw new EvicpressError(`${path}: there is no ${name} in this archive.`);
    const local = await readAt(file, entry.offset, 30);
    const start = entry.offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
    const packed = await readAt(file, start, entry.packedBytes);
    if (entry.compression === 0) return packed;
    if (entry.compression !== 8)
      throw new EvicpressError(`${path}: ${name} is packed in an unknown way (${entry.compression}).`);
    return await promisify(inflateRaw)(packed);
  } finally {
    await file.close();
  }
}

interface Entry {
  readonly compression: number;
  readonly packedBytes: number;
  readonly offset: number;
}

/** The central directory, found through the record that ends the archive. */
async function readDirectory(file: FileHandle, path: string): Promise<Buffer> {
  const { size } = await file.stat();
  const tail = await readAt(file, Math.max(0, size - 65_557), Math.min(size, 65_557));
  for (let at = tail.byteLength - 22; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END_OF_DIRECTORY) continue;
    return readAt(file, tail.readUInt32LE(at + 16), tail.readUInt32LE(at + 12));
  }
  throw new EvicpressError(`${path}: not a zip archive, or cut short. Delete it and run again.`);
}

function findEntry(directory: Buffer, name: string): Entry | undefined {
  for (let at = 0; at + 46 <= directory.byteLength && directory.readUInt32LE(at) === DIRECTORY_ENTRY; ) {
    const nameBytes = directory.readUInt16LE(at + 28);
    if (directory.toString('utf8', at + 46, at + 46 + nameBytes) === name) {
      return {
        compression: directory.readUInt16LE(at + 10),
        packedBytes: directory.readUInt32LE(at + 20),
        offset: directory.readUInt32LE(at + 42),
      };
    }
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return undefined;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
