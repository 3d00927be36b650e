import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemFault } from '../../formats/files.js';
import { makeFolder } from '../../make-folder.js';
import { isAlive } from '../../processes.js';

/** State is for its owner alone; the plan in force and the metrics are for other users' programs. */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

/**
 * Writes a small file whole or not at all, durably: temporary file beside it, fsync, rename, fsync of the folder.
 * @param mode readable by the owner alone unless said otherwise.
 * @throws EvicpressError when it cannot be written; nothing is left behind.
 */
export async function writeDurably(path: string, text: string, mode: number = PRIVATE_FILE): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
  let handle: FileHandle | undefined;
  try {
    await makeFolder(folder);
    handle = await open(temporary, 'wx', mode);
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await handle?.close().catch(() => undefined);
    await unlink(temporary).catch(() => undefined);
    throw systemFault(error, path);
  }
}

/** Makes a rename or a new name in a folder durable; file systems that cannot do so are left alone. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** Temporary files of this program: `.name.<pid>.<8 hex digits>.tmp`. */
const TEMPORARY = /^\..+\.(\d+)\.[0-9a-f]{8}\.tmp$/;

/**
 * Removes what killed runs left half-written, in the folder and those that lie in it: ours has no deeper ones, and a
 * folder that is not ours alone may be as deep as a whole disk. Only for the holder of the folder's lock.
 */
export async function sweepTemporaries(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
  for (const each of [folder, ...folders]) {
    for (const name of await readdir(each).catch(() => [] as string[])) {
      const writer = Number(TEMPORARY.exec(name)?.[1]);
      if (Number.isNaN(writer)) continue;
      // Who is about to ask for the lock writes that down before it holds it.
      const isInUse = writer !== process.pid && isAlive(writer);
      if (!isInUse) await unlink(join(each, name)).catch(() => undefined);
    }
  }
}

/** The first so many bytes of a file. @throws EvicpressError where it cannot be read. */
export async function readBytes(path: string, length: number): Promise<Buffer> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const bytes = Buffer.allocUnsafe(length);
    let read = 0;
    while (read < length) {
      const { bytesRead } = await handle.read(bytes, read, length - read, read);
      if (bytesRead === 0) break;
      read += bytesRead;
    }
    return bytes.subarray(0, read);
  } catch (error) {
    throw systemFault(error, path);
  } finally {
    await handle?.close();
  }
}
