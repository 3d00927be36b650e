import { randomBytes } from 'node:crypto';
import { readFileSync, unlinkSync } from 'node:fs';
import { readdir, readFile, rm, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { lock as lockFile, unlockSync } from 'proper-lockfile';
import { EvicpressError, errors } from '../../errors.js';
import { systemFault } from '../../formats/files.js';
import { makeFolder } from '../../make-folder.js';
import { isAlive } from '../../processes.js';
import { writeDurably } from './private-files.js';

/** A lock never goes stale by the clock alone: clocks jump. Takeover asks whether its process lives. */
const NEVER_MS = 10 * 365 * 86_400_000;
const UPDATE_MS = 5_000;
/** A takeover is a few file operations; one that has not ended by then was killed, and is waited for. */
const TAKEOVER_STALE_MS = 5_000;
const TAKEOVER_RETRIES = { retries: 16, minTimeout: 500, maxTimeout: 500, factor: 1 };
/** A lock of another host is dead when its holder has not touched it for so long. */
const FOREIGN_STALE_MS = 600_000;
const INTENT = /^lock-intent\.\d+\.[0-9a-f]{8}\.json$/;

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly boot: string;
  /** Start of the process in clock ticks since boot: tells it from a later one with its number. */
  readonly started: string;
}

/** The folder is ours until `release`. */
export interface HeldLock {
  /** @throws EvicpressError where somebody removed the lock while we worked. */
  assertHeld(): void;
  release(): Promise<void>;
}

/**
 * Takes the lock of a state folder. The lock of a dead process is taken over, that of a live one never.
 * @throws EvicpressError with exit code 4 where another run holds it.
 */
export async function takeLock(folder: string): Promise<HeldLock> {
  try {
    await makeFolder(folder);
  } catch (error) {
    throw systemFault(error, folder);
  }
  // Who is about to take the lock says so first: a lock without owner is then known to be of a live process.
  const intent = join(folder, `lock-intent.${process.pid}.${randomBytes(4).toString('hex')}.json`);
  const traces = new Traces(folder, intent);
  let held: HeldLock | undefined;
  try {
    await writeDurably(intent, `${JSON.stringify(thisProcess())}\n`);
    held = (await acquire(folder, traces)) ?? (await takeOver(folder, traces));
  } finally {
    if (held === undefined) await traces.remove();
  }
  if (held === undefined) throw errors.locked(folder, describe(await readOwner(ownerPath(folder))));
  await isIntended(folder, intent);
  return held;
}

/** The lock, or undefined where somebody has it. */
async function acquire(folder: string, traces: Traces): Promise<HeldLock | undefined> {
  let compromised = false;
  let release: () => Promise<void>;
  try {
    release = await lockFile(join(folder, 'lock'), {
      lockfilePath: lockPath(folder),
      realpath: false,
      stale: NEVER_MS,
      update: UPDATE_MS,
      onCompromised: () => {
        compromised = true;
      },
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined;
    throw systemFault(error, folder);
  }
  try {
    traces.held = true;
    await writeDurably(ownerPath(folder), `${JSON.stringify(thisProcess())}\n`);
  } catch (error) {
    await release().catch(() => undefined);
    throw error;
  }
  return {
    assertHeld() {
      if (compromised)
        throw new EvicpressError(
          `${folder}: the lock was removed while this run held it. Leave it alone; start again.`,
          4,
        );
    },
    async release() {
      // First the owner, then the lock: an owner that is written down always had the lock that lies there.
      await unlink(ownerPath(folder)).catch(() => undefined);
      await release().catch(() => undefined);
      await traces.remove();
    },
  };
}

/**
 * The lock, and the files that say who has it or is about to take it. They go with the process too where that is ended
 * by `process.exit`, as on Ctrl-C. proper-lockfile would remove the lock then, but is not told any more once a file was
 * written whole: of signal-exit, which tells, there are two versions, and the later one sets the earlier one aside.
 */
class Traces {
  /** Whether the lock is ours. */
  held = false;

  constructor(
    private readonly folder: string,
    readonly intent: string,
  ) {
    process.once('exit', this.removeAtExit);
  }

  async remove(): Promise<void> {
    process.off('exit', this.removeAtExit);
    await unlink(this.intent).catch(() => undefined);
  }

  private readonly removeAtExit = () => {
    const steps = [() => unlinkSync(this.intent)];
    // First the owner, then the lock, as when it is released.
    if (this.held)
      steps.unshift(
        () => unlinkSync(ownerPath(this.folder)),
        () => unlockNow(this.folder),
      );
    for (const step of steps) {
      try {
        step();
      } catch {
        // It was not there yet, or is gone.
      }
    }
  };
}

/** Removes the lock of a dead process and takes it, one process at a time. */
async function takeOver(folder: string, traces: Traces): Promise<HeldLock | undefined> {
  if (!(await isDead(folder, traces.intent))) return undefined;
  let leave: () => Promise<void>;
  try {
    leave = await lockFile(join(folder, 'takeover'), {
      lockfilePath: join(folder, 'takeover.lock'),
      realpath: false,
      stale: TAKEOVER_STALE_MS,
      retries: TAKEOVER_RETRIES,
      onCompromised: () => undefined,
    });
  } catch {
    return undefined;
  }
  try {
    // Another run may have taken it over since we looked.
    if (!(await isDead(folder, traces.intent))) return undefined;
    await unlink(ownerPath(folder)).catch(() => undefined);
    await rm(lockPath(folder), { recursive: true, force: true });
    return await acquire(folder, traces);
  } finally {
    await leave().catch(() => undefined);
  }
}

async function isDead(folder: string, intent: string): Promise<boolean> {
  const owner = await readOwner(ownerPath(folder));
  if (owner !== undefined) return isOwnerDead(owner, lockPath(folder));
  return !(await isIntended(folder, intent));
}

/** Whether a live process, other than by this `intent`, is about to take the lock; intents of dead ones are removed. */
async function isIntended(folder: string, intent: string): Promise<boolean> {
  let live = false;
  for (const name of await readdir(folder)) {
    if (!INTENT.test(name) || name === basename(intent)) continue;
    const path = join(folder, name);
    const intending = await readOwner(path);
    if (intending !== undefined && !(await isOwnerDead(intending, path))) live = true;
    else await unlink(path).catch(() => undefined);
  }
  return live;
}

/** @param touched what the owner keeps touching while it lives. */
async function isOwnerDead(owner: Owner, touched: string): Promise<boolean> {
  const us = thisProcess();
  if (owner.host !== us.host) return untouchedMs(touched, FOREIGN_STALE_MS);
  return owner.boot !== us.boot || !isOwnerAlive(owner);
}

function isOwnerAlive({ pid, started }: Owner): boolean {
  if (!isAlive(pid)) return false;
  const now = startOf(pid);
  return now === '' || started === '' || now === started;
}

async function untouchedMs(path: string, limitMs: number): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && Date.now() - info.mtimeMs > limitMs;
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await readFile(path, 'utf8')) as Owner;
    return Number.isInteger(owner.pid) && owner.pid > 0 ? owner : undefined;
  } catch {
    return undefined;
  }
}

function thisProcess(): Owner {
  return { pid: process.pid, host: hostname(), boot: bootId(), started: startOf(process.pid) };
}

function bootId(): string {
  return readQuietly('/proc/sys/kernel/random/boot_id').trim();
}

/** Field 22 of /proc/PID/stat; empty where there is no /proc. The name in field 2 may hold blanks and brackets. */
function startOf(pid: number): string {
  const text = readQuietly(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function describe(owner: Owner | undefined): string {
  return owner === undefined ? 'just started' : `process ${owner.pid} on ${owner.host}`;
}

/** Removes the lock if this process has it. @throws where it has not. */
function unlockNow(folder: string): void {
  unlockSync(join(folder, 'lock'), { lockfilePath: lockPath(folder), realpath: false });
}

function lockPath(folder: string): string {
  return join(folder, 'lock');
}

function ownerPath(folder: string): string {
  return join(folder, 'lock-owner.json');
}
