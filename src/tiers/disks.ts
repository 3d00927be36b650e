import { accessSync, constants, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from './host.js';

/** Speed classes, fast to slow. */
const CLASSES = ['memory', 'NVMe', 'SSD', 'virtual disk', 'network', 'hard disk'] as const;
export type SpeedClass = (typeof CLASSES)[number];

/** A mounted file system that a cache could live on. */
export interface Disk {
  readonly folder: string;
  /** `/dev/nvme0n1p1`, `server:/export`. */
  readonly device: string;
  readonly speedClass: SpeedClass;
}

const NETWORK_TYPES = ['nfs', 'nfs4', 'cifs', 'smb3', 'ceph', 'lustre', 'gpfs', 'beegfs', 'fuse.glusterfs'];
/** Mounts that belong to the system, not to data. */
const SYSTEM_FOLDERS = /^\/(boot|proc|sys|dev|run|snap|etc|var\/lib\/docker|usr)(\/|$)/;

/** The mounted disks that this user may write to, one folder for each device, fast to slow. */
export function mountedDisks(
  mounts: string = readText('/proc/mounts'),
  classOf: (device: string) => SpeedClass = speedClassOf,
  mayWrite: (folder: string) => boolean = isWritable,
): Disk[] {
  const disks = new Map<string, Disk>();
  for (const line of mounts.split('\n')) {
    const [device = '', escaped = '', type = '', options = ''] = line.split(' ');
    const folder = escaped.replace(/\\(\d{3})/g, (_, octal) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const isNetwork = NETWORK_TYPES.includes(type);
    if (!isNetwork && !device.startsWith('/dev/')) continue;
    if (options.split(',').includes('ro') || SYSTEM_FOLDERS.test(folder) || device.startsWith('/dev/loop'))
      continue;
    const earlier = disks.get(device);
    // A device mounted in several places: the shortest path is the mount itself, the others are bound to it.
    if (earlier !== undefined && earlier.folder.length <= folder.length) continue;
    if (!mayWrite(folder)) continue;
    disks.set(device, { folder, device, speedClass: isNetwork ? 'network' : classOf(device) });
  }
  return [...disks.values()].sort(
    (a, b) =>
      CLASSES.indexOf(a.speedClass) - CLASSES.indexOf(b.speedClass) || a.folder.localeCompare(b.folder),
  );
}

/** By the kernel's name and what it knows of the device; a mapped device (LVM, RAID) by what lies below it. */
function speedClassOf(device: string): SpeedClass {
  const name = realName(device);
  const parts = readFolder(join('/sys/class/block', name, 'slaves'));
  if (parts.length > 0) return speedClassOf(`/dev/${parts[0]}`);
  if (name.startsWith('nvme')) return 'NVMe';
  if (/^(vd|xvd)/.test(name)) return 'virtual disk';
  // A partition has no queue of its own.
  const whole = readText(join('/sys/class/block', name, 'queue/rotational'));
  const parent = readText(join('/sys/class/block', name, '../queue/rotational'));
  return (whole || parent).trim() === '1' ? 'hard disk' : 'SSD';
}

function realName(device: string): string {
  try {
    return realpathSync(device).replace('/dev/', '');
  } catch {
    return device.replace('/dev/', '');
  }
}

function readFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
