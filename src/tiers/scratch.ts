import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readdirSync, rmSync, unlinkSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { EvicpressError, NotMeasurableError, printable, systemFault } from '../errors.js';
import { isAlive } from '../processes.js';
import { formatBytes } from '../units.js';
import { LEAST_SCRATCH_BYTES } from './direct-io.js';

const PREFIX = '.evicpress-scratch-';
/** Share of a disk's free room that test data takes at most, unless told otherwise. */
const MOST_SHARE_OF_FREE = 0.1;

/** File systems that are memory, by the type that statfs gives (Linux, magic.h). */
const MEMORY_FILE_SYSTEMS: Readonly<Record<number, string>> = { 16914836: 'tmpfs', 2240043254: 'ramfs' };
/** File systems reached over a network. */
const NETWORK_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  26985: 'NFS',
  4283649346: 'CIFS',
  1397113167: 'AFS',
  12805120: 'Ceph',
  198183888: 'Lustre',
};

export interface FolderRoom {
  readonly freeBytes: number;
  /** Set where the folder is memory, e.g. `tmpfs`. */
  readonly memory?: string;
  /** Set where the folder is reached over a network, e.g. `NFS`. */
  readonly network?: string;
}

/** Free room for this user, and whether the folder is a disk at all. @throws EvicpressError */
export async function folderRoom(folder: string, tier: string): Promise<FolderRoom> {
  const stats = await statfs(folder).catch((error) => {
    throw folderFault(error, folder, tier);
  });
  const type = stats.type >>> 0;
  const memory = MEMORY_FILE_SYSTEMS[type];
  const network = NETWORK_FILE_SYSTEMS[type];
  return {
    freeBytes: stats.bavail * stats.bsize,
    ...(memory === undefined ? {} : { memory }),
    ...(network === undefined ? {} : { network }),
  };
}

/**
 * How much test data to write: what was asked for, or the default within a share of the free room.
 * @throws EvicpressError where that is too little, or the disk has no room for it.
 */
export function scratchSize(
  tier: string,
  folder: string,
  freeBytes: number,
  wantedBytes: number,
  asked: boolean,
): number {
  const bytes = asked ? wantedBytes : Math.min(wantedBytes, MOST_SHARE_OF_FREE * freeBytes);
  if (asked && bytes < LEAST_SCRATCH_BYTES)
    throw new NotMeasurableError(
      `Tier ${tier}: --scratch ${formatBytes(wantedBytes)} is less than measuring takes. Give it ${formatBytes(LEAST_SCRATCH_BYTES)} or more.`,
    );
  if (bytes > freeBytes || bytes < LEAST_SCRATCH_BYTES) {
    const needed = asked ? wantedBytes : LEAST_SCRATCH_BYTES / MOST_SHARE_OF_FREE;
    throw new NotMeasurableError(
      `Tier ${tier}: no space on ${printable(folder)}: measuring needs ${formatBytes(needed)} free, there are ${formatBytes(freeBytes)}. Free some room, name another folder (--tier ${tier}=file:FOLDER), or set --scratch.`,
    );
  }
  return Math.floor(bytes / 4096) * 4096;
}

/** An open scratch file that has no name any more where the system allows it. */
export interface Scratch {
  readonly fd: number;
  /** False where the file system refuses direct I/O. */
  readonly direct: boolean;
  close(): void;
}

/**
 * Opens a scratch file for direct I/O. On Linux its name is removed at once, so that nothing stays behind
 * however the process ends; elsewhere the name carries the process, and the next run removes it.
 * @throws EvicpressError where the folder cannot be written.
 */
export function openScratch(folder: string, tier: string): Scratch {
  try {
    removeLeftovers(folder);
  } catch (error) {
    throw folderFault(error, folder, tier);
  }
  const path = scratchPath(folder);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
  let fd: number;
  let direct = true;
  try {
    fd = openSync(path, flags | constants.O_DIRECT, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw folderFault(error, folder, tier);
    // The kernel makes the file before it refuses the flag.
    removeFile(path);
    direct = false;
    fd = openSync(path, flags, 0o600);
  }
  const nameless = process.platform === 'linux';
  if (nameless) removeFile(path);
  let open = true;
  return {
    fd,
    direct,
    close() {
      if (!open) return;
      open = false;
      closeSync(fd);
      if (!nameless) removeFile(path);
    },
  };
}

/** A new name for test data in a folder: it carries host and process, so that the next run finds what is left over. */
export function scratchPath(folder: string): string {
  return join(folder, `${PREFIX}${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`);
}

/** Removes scratch files and folders of runs on this machine that are no longer alive. */
export function removeLeftovers(folder: string): void {
  const own = `${PREFIX}${hostname()}-`;
  for (const name of readdirSync(folder)) {
    const pid = name.startsWith(own) ? Number(/^(\d+)-/.exec(name.slice(own.length))?.[1]) : Number.NaN;
    if (Number.isInteger(pid) && !isAlive(pid)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** What went wrong with a tier's folder, in one line. */
export function folderFault(error: unknown, folder: string, tier: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const where = `Tier ${tier}: ${printable(folder)}`;
  const other = `or name another folder (--tier ${tier}=file:FOLDER)`;
  switch (code) {
    case 'ENOENT':
      return new EvicpressError(`${where}: no such folder. Make it first, ${other}.`);
    case 'ENOTDIR':
      return new EvicpressError(`${where}: this is a file; a file tier is a folder on the disk to measure.`);
    case 'EACCES':
    case 'EPERM':
      return new EvicpressError(`${where}: this user may not write there. Change its permissions, ${other}.`);
    case 'EROFS':
      return new EvicpressError(`${where}: the file system is read-only. Mount it for writing, ${other}.`);
    case 'ENOSPC':
    case 'EDQUOT':
      return new NotMeasurableError(
        `${where}: no space left while writing test data. Free some room, set a smaller --scratch, ${other}.`,
      );
    case 'EIO':
      return new EvicpressError(`${where}: the device reports an input/output error. Check it, ${other}.`);
    default:
      return systemFault(error, folder);
  }
}
