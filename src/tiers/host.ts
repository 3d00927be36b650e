import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';

/** Last-level cache to assume where the system does not say: larger than most have per socket. */
const ASSUMED_CACHE_BYTES = 64 * 2 ** 20;

/** What a profile says about the machine it was measured on. */
export function describeHost(): Record<string, unknown> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    lastLevelCacheBytes: lastLevelCacheBytes(),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
  };
}

/** Memory that can be had without swapping; what is free where the system does not tell the two apart. */
export function availableMemoryBytes(): number {
  const line = /^MemAvailable:\s+(\d+) kB/m.exec(readText('/proc/meminfo'));
  const bytes = line === null ? totalmem() / 2 : Number(line[1]) * 1024;
  return Math.min(bytes, cgroupMemoryLeft());
}

/** A container's limit counts, not the machine's memory. */
function cgroupMemoryLeft(): number {
  const limit = Number.parseInt(readText('/sys/fs/cgroup/memory.max'), 10);
  const used = Number.parseInt(readText('/sys/fs/cgroup/memory.current'), 10);
  return Number.isNaN(limit) || Number.isNaN(used) ? Number.POSITIVE_INFINITY : Math.max(0, limit - used);
}

/** Bytes of the largest cache any core can reach. */
export function lastLevelCacheBytes(): number {
  let largest = 0;
  for (let index = 0; index < 8; index++) {
    const text = readText(`/sys/devices/system/cpu/cpu0/cache/index${index}/size`);
    const match = /^(\d+)([KMG]?)/.exec(text);
    if (match === null) break;
    const unit = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[match[2]!] ?? 1;
    largest = Math.max(largest, Number(match[1]) * unit);
  }
  return largest === 0 ? ASSUMED_CACHE_BYTES : largest;
}

/** Counters of how much others disturb this machine, to be subtracted from a later reading. */
export interface LoadCounters {
  readonly at: number;
  readonly stolenTicks: number;
  readonly totalTicks: number;
  readonly waitSeconds: number;
}

export interface Load {
  /** Share of processor time that a hypervisor gave to other machines. */
  readonly stolenShare: number;
  /** Share of time in which the transfers could have gone on but waited for a processor. */
  readonly cpuPressure: number;
}

/** @param waitSeconds what the threads that move the bytes have waited for a processor so far. */
export function readLoad(waitSeconds: number): LoadCounters {
  const ticks = (/^cpu\s+(.*)$/m.exec(readText('/proc/stat'))?.[1] ?? '')
    .split(/\s+/)
    .slice(0, 8)
    .map(Number);
  return {
    at: performance.now(),
    stolenTicks: ticks[7] ?? 0,
    totalTicks: ticks.reduce((sum, value) => sum + (Number.isNaN(value) ? 0 : value), 0),
    waitSeconds,
  };
}

/** What happened between two readings; 0 where the system does not say. */
export function loadBetween(before: LoadCounters, after: LoadCounters): Load {
  const ticks = after.totalTicks - before.totalTicks;
  const seconds = (after.at - before.at) / 1e3;
  return {
    stolenShare: ticks > 0 ? (after.stolenTicks - before.stolenTicks) / ticks : 0,
    cpuPressure: seconds > 0 ? Math.min(1, (after.waitSeconds - before.waitSeconds) / seconds) : 0,
  };
}

/** Seconds that a process' first thread, our own by default, was ready to run and waited for a processor. */
export function threadWaitSeconds(process: number | 'self' = 'self'): number {
  return Number(readText(`/proc/${process}/schedstat`).split(' ')[1] ?? 0) / 1e9;
}

/** The name of a running process; empty where there is none. */
export function processName(process: number): string {
  return readText(`/proc/${process}/comm`).trim();
}

/** A file of the running system; empty where there is none. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
