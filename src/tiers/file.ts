import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { errors } from '../errors.js';
import type { Tier } from '../formats/tiers.js';
import { formatBytes, formatShare } from '../units.js';
import { type DirectMover, startDirectMover } from './direct-io.js';
import { mountedDisks, type SpeedClass } from './disks.js';
import { fioRead } from './fio.js';
import { mean } from './fit.js';
import type { Device, MeasureSettings, Remark, TierKind, TierTarget } from './kind.js';
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
const SIZES = [1, 4, 16, 64, 256].map((megabytes) => megabytes * MEGABYTE);
/** Test data by measuring time: writing it must leave most of the time for measuring. */
const SCRATCH_BYTES_PER_SECOND = 50 * 2 ** 20;
const MOST_SCRATCH_BYTES = 2 ** 30;
/** fio takes a third of a second to start: it confirms the curve once, where there is time. */
const FIO_FROM_SECONDS = 10;
const FIO_SECONDS = 1;
const FIO_OBJECT_BYTES = 64 * 2 ** 20;
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

async function openFolder(target: TierTarget, settings: MeasureSettings): Promise<Device> {
  const folder = resolve(target.location ?? '.');
  const room = await folderRoom(folder, target.name);
  const wanted = settings.scratchBytes ?? defaultScratch(settings.seconds);
  const bytes = scratchSize(target.name, folder, room.freeBytes, wanted, settings.scratchBytes !== undefined);
  const scratch = openScratch(folder, target.name);
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
  try {
    await guarded(
      mover.fill(bytes, (filled) =>
        settings.onProgress({
          stage: `${target.name} filling`,
          done: filled,
          total: bytes,
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
    overheadSeconds: 0.002,
    cpuBound: false,
    remarks: remarksOn(room, scratch),
    details: { scratchBytes: bytes, directIo: scratch.direct, ...room },
    run: (wave) => guarded(mover.run(wave)),
    ...(settings.seconds < FIO_FROM_SECONDS || !scratch.direct
      ? {}
      : { confirm: () => guarded(askFio(mover, scratch, bytes)) }),
    async close() {
      settings.signal.removeEventListener('abort', stop);
      close();
    },
  };
}

/** The same minute by fio, between two readings of our own: a disk's level shifts. */
async function askFio(mover: DirectMover, scratch: Scratch, scratchBytes: number) {
  const bytes = Math.min(FIO_OBJECT_BYTES, scratchBytes);
  const own = async () => {
    const waves = await mover.run({ direction: 'read', bytes, streams: 1, seconds: FIO_SECONDS / 2 });
    return bytes / mean(waves);
  };
  const before = await own();
  const fio = await fioRead(`/proc/${process.pid}/fd/${scratch.fd}`, scratchBytes, FIO_SECONDS);
  if (fio === undefined) return { remarks: [], details: {} };
  const ratio = Number((mean([before, await own()]) / fio.bytesPerSecond).toPrecision(3));
  const text = `our own reader reaches ${formatShare(ratio)} of what fio reads`;
  const agrees = ratio >= FIO_AGREES[0] && ratio <= FIO_AGREES[1];
  return {
    remarks: agrees ? [] : [{ level: 'noisy' as const, text }],
    details: { fio: { ...fio, ratio } },
  };
}

function defaultScratch(seconds: number): number {
  return Math.min(MOST_SCRATCH_BYTES, Math.max(256 * 2 ** 20, SCRATCH_BYTES_PER_SECOND * seconds));
}

function remarksOn(room: FolderRoom, scratch: Scratch): Remark[] {
  const remarks: Remark[] = [];
  if (room.memory !== undefined)
    remarks.push({ level: 'noisy', text: `the folder is ${room.memory}, which is memory and not a disk` });
  else if (!scratch.direct)
    remarks.push({ level: 'bad', text: 'the file system refuses direct I/O: the page cache answered' });
  return remarks;
}
