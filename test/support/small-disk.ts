import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A disk of a few megabytes, of its own: an image in memory, mounted through a loop device. Root only. */
export class SmallDisk {
  readonly folder: string;
  /** `7:0`, as control groups name it. */
  readonly device: string;
  private readonly home: string;
  private readonly loop: string;

  constructor(megabytes: number) {
    this.home = mkdtempSync('/dev/shm/evicpress-disk-');
    const image = join(this.home, 'image');
    this.folder = join(this.home, 'mount');
    mkdirSync(this.folder);
    run('truncate', '-s', `${megabytes}M`, image);
    run('mkfs.ext4', '-q', '-F', '-m', '0', image);
    this.loop = run('losetup', '-f', '--show', image).trim();
    run('mount', this.loop, this.folder);
    const { rdev } = statSync(this.loop);
    this.device = `${rdev >> 8}:${rdev & 255}`;
  }

  makeReadOnly(): void {
    run('mount', '-o', 'remount,ro', this.folder);
  }

  remove(): void {
    spawnSync('umount', [this.folder]);
    spawnSync('losetup', ['-d', this.loop]);
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Why there can be no such disk here; undefined where there can. */
export function noSmallDisk(): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting a disk takes root';
  const works = existsSync('/dev/shm') && spawnSync('losetup', ['-f']).status === 0;
  return works ? undefined : 'there are no loop devices here';
}

/** A control group whose members read and write a device at most this fast (version 1 and 2 of the kernel's). */
export class ThrottledGroup {
  private readonly folder: string;

  constructor(device: string, readBytesPerSecond: number, writeBytesPerSecond: number) {
    const first = existsSync('/sys/fs/cgroup/blkio');
    this.folder = join(first ? '/sys/fs/cgroup/blkio' : '/sys/fs/cgroup', `evicpress-${process.pid}`);
    mkdirSync(this.folder);
    const limit = (file: string, text: string) => writeFileSync(join(this.folder, file), text);
    if (first) {
      limit('blkio.throttle.read_bps_device', `${device} ${readBytesPerSecond}`);
      limit('blkio.throttle.write_bps_device', `${device} ${writeBytesPerSecond}`);
    } else limit('io.max', `${device} rbps=${readBytesPerSecond} wbps=${writeBytesPerSecond}`);
  }

  /** A command line that runs another one as a member. */
  inside(program: string, args: readonly string[]): [string, string[]] {
    const enter = `echo $$ > ${join(this.folder, 'cgroup.procs')}; exec "$@"`;
    return ['bash', ['-c', enter, 'bash', program, ...args]];
  }

  remove(): void {
    rmdirSync(this.folder);
  }
}

/** Why no device can be throttled here; undefined where one can. */
export function noThrottle(): string | undefined {
  const groups = ['/sys/fs/cgroup/blkio', '/sys/fs/cgroup/io.stat'];
  return (
    noSmallDisk() ?? (groups.some((path) => existsSync(path)) ? undefined : 'no control groups for disks')
  );
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
