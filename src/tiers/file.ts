import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { errors } from '../errors.js';
import type { Tier } from '../formats/tiers.js';
import { formatBytes, formatShare } from '../units.js';
import { type DirectMover, startDirectMover } from './direct-io.js';
import { mountedDisks, type SpeedClass } from './disks.js';
import { type FioReading, fioRead } from './fio.js';
import { mean } from './fit.js';
import type { Device, MeasureSettings, Remark, SecondOpinion, TierKind, TierTarget } from './kind.js';
import { measureDevice } from './measure.js';
import {
  type FolderRoom,
  folderFault,
  folderRoom,
  openScratch,
  type Scratch,
  scratchSize,
} from './scratch.js';

/** Share of the free room that a KV cache is taken to get, unless told otherwise. */
const CAPACITY_SHARE = 0.5;
const MEGABYTE = 1e6;
const SIZES = [1, 4, 16, 64, 256, 1024].map((megabytes) => megabytes * MEGABYTE);
const SCRATCH_BYTES = 2 ** 30;
/** Share of the measuring time in which test data is written; what a slow disk has not taken by then is left out. */
const FILL_SHARE = 0.1;
/** fio takes a third of a second to start: it confirms the curve where there is time. */
const FIO_FROM_SECONDS = 10;
const FIO_SECONDS = 0.6;
const FIO_START_SECONDS = 0.4;
/** Readings of our own before, between and after fio's: a disk's level shifts. */
const OWN_SECONDS = 0.4;
const FIO_READINGS = 2;
const FIO_OBJECT_BYTES = 256 * MEGABYTE;
/** Our reader over fio in between: they tell the same. */
const FIO_AGREES = [0.8, 1.25] as const;

/**
 * A folder on a local disk, on NFS or in memory: objects are read and written in direct I/O, past the page
 * cache, in chunks as an engine does it. Writes are acknowledged by the device, not made durable.
 */
export const file: TierKind = {
  name: 'file',
  summary: 'a folder on a disk, local or mounted: file:/mnt/nvme',
  async detect(folder) {
    const disks = mountedDisks();
    // Without a word from the system the folder at hand is the one disk that is known.
    if (disks.length === 0) {
      const note = roomNote(await folderRoom(folder, 'disk'));
      return [{ target: { name: 'disk', kind: 'file', location: folder }, note }];
    }
    const names = disks.map((disk) => tierName(disk.speedClass));
    return Promise.all(
      disks.map(async (disk, i) => {
        const count = names.slice(0, i + 1).filter((name) => name === names[i]).length;
        const name = count === 1 ? names[i]! : `${names[i]}${count}`;
        const note = `${disk.speedClass}, ${roomNote(await folderRoom(disk.folder, name))}`;
        return { target: { name, kind: 'file', location: placeOn(disk.folder, folder) }, note };
      }),
    );
  },
  async check(target, settings) {
    (await openScratchOf(target, settings)).scratch.close();
  },
  async measure(target, settings) {
    const openedAt = performance.now();
    const device = await openFolder(target, settings);
    return measureDevice(target, device, settings, openedAt) as Promise<Tier>;
  },
};

/** A folder on the disk: the one at hand where it is there, so that nothing is written at the root of a system. */
function placeOn(mount: string, folder: string): string {
  return statSync(mount).dev === statSync(folder).dev ? resolve(folder) : mount;
}

/** `nvme`, `ssd`, `disk`, `network`, … as a tier is called. */
function tierName(speedClass: SpeedClass): string {
  if (speedClass === 'virtual disk') return 'disk';
  return speedClass.toLowerCase().replace(' ', '-');
}

function roomNote({ freeBytes, memory, network }: FolderRoom): string {
  const what = memory === undefined ? '' : `, ${memory}: this is memory`;
  return `${formatBytes(freeBytes)} free${what}${network === undefined ? '' : `, over ${network}`}`;
}

/** The target's folder with an open scratch file, and how much may be written to it. @throws EvicpressError */
async function openScratchOf(
  target: TierTarget,
  settings: MeasureSettings,
): Promise<{ folder: string; room: FolderRoom; most: number; scratch: Scratch }> {
  const folder = resolve(target.location ?? '.');
  const room = await folderRoom(folder, target.name);
  const wanted = settings.scratchBytes ?? SCRATCH_BYTES;
  const asked = settings.scratchBytes !== undefined;
  const most = scratchSize(target.name, folder, room.freeBytes, wanted, asked);
  return { folder, room, most, scratch: openScratch(folder, target.name) };
}

async function openFolder(target: TierTarget, settings: MeasureSettings): Promise<Device> {
  const { folder, room, most, scratch } = await openScratchOf(target, settings);
  const mover = startDirectMover(scratch.fd);
  const close = () => {
    mover.close();
    scratch.close();
  };
  const stop = () => close();
  settings.signal.addEventListener('abort', stop, { once: true });
  const guarded = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error) => {
      throw settings.signal.aborted
        ? errors.interrupted('Nothing was left behind.')
        : folderFault(error, folder, target.name);
    });
  let bytes: number;
  try {
    bytes = await guarded(
      mover.fill(most, FILL_SHARE * settings.seconds, (filled) =>
        settings.onProgress({
          stage: `${target.name} filling`,
          done: filled,
          total: most,
          note: `${formatBytes(filled)} of test data`,
        }),
      ),
    );
  } catch (error) {
    close();
    throw error;
  }
  return {
    location: folder,
    tool: `direct I/O, Node ${process.version}`,
    scope: room.network === undefined ? 'node' : 'cluster',
    capacityBytes: Math.floor((CAPACITY_SHARE * room.freeBytes) / MEGABYTE) * MEGABYTE,
    capacityRule: `${CAPACITY_SHARE} of the room free when measured`,
    sizes: SIZES,
    largestWaveBytes: bytes,
    directions: ['read', 'write'],
    waitSeconds: () => mover.waitSeconds(),
    remarks: remarksOn(room, scratch),
    details: { scratchBytes: bytes, directIo: scratch.direct, ...room },
    run: (wave) => guarded(mover.run(wave)),
    ...(settings.seconds < FIO_FROM_SECONDS || !scratch.direct
      ? {}
      : {
          confirm: {
            seconds: FIO_READINGS * (OWN_SECONDS + FIO_SECONDS + FIO_START_SECONDS) + OWN_SECONDS,
            run: () => guarded(askFio(mover, scratch, bytes)),
          },
        }),
    async close() {
      settings.signal.removeEventListener('abort', stop);
      close();
    },
  };
}

/** The same minute by fio, between readings of our own. */
async function askFio(mover: DirectMover, scratch: Scratch, scratchBytes: number): Promise<SecondOpinion> {
  const bytes = Math.min(FIO_OBJECT_BYTES, scratchBytes);
  const own: number[] = [];
  const readings: FioReading[] = [];
  const readOwn = async () => {
    const waves = await mover.run({ direction: 'read', bytes, streams: 1, seconds: OWN_SECONDS });
    own.push(bytes / mean(waves));
  };
  await readOwn();
  for (let i = 0; i < FIO_READINGS; i++) {
    const reading = await fioRead(`/proc/${process.pid}/fd/${scratch.fd}`, scratchBytes, FIO_SECONDS);
    if (reading === undefined) return { remarks: [], details: {} };
    readings.push(reading);
    await readOwn();
  }
  const bytesPerSecond = mean(readings.map((reading) => reading.bytesPerSecond));
  const ratio = Number((mean(own) / bytesPerSecond).toPrecision(3));
  const text = `our own reader reaches ${formatShare(ratio)} of what fio reads`;
  const agrees = ratio >= FIO_AGREES[0] && ratio <= FIO_AGREES[1];
  return {
    remarks: agrees ? [] : [{ level: 'noisy' as const, text }],
    details: { fio: { ...readings[0], bytesPerSecond, ratio } },
  };
}

function remarksOn(room: FolderRoom, scratch: Scratch): Remark[] {
  const remarks: Remark[] = [];
  if (room.memory !== undefined)
    remarks.push({ level: 'noisy', text: `the folder is ${room.memory}, which is memory and not a disk` });
  else if (!scratch.direct)
    remarks.push({ level: 'bad', text: 'the file system refuses direct I/O: the page cache answered' });
  return remarks;
}
