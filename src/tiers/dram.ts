import { Worker } from 'node:worker_threads';
import { EvicpressError } from '../errors.js';
import { formatBytes } from '../units.js';
import { type CopyReply, type CopyRequest, copyInWorker } from './copy-worker.js';
import { availableMemoryBytes, lastLevelCacheBytes } from './host.js';
import type { Device, MeasureSettings, TierKind, TierTarget, Wave } from './kind.js';
import { measureDevice } from './measure.js';

/** Share of the memory that is available now which a KV cache is taken to get, unless told otherwise. */
const CAPACITY_SHARE = 0.5;
/**
 * Share of the available memory that one wave may use. The threads keep their arenas: with eight of them up to
 * 1 + 1/2 + … + 1/8 = 2.7 times this.
 */
const ARENA_SHARE = 0.15;
/** Each copy goes through an arena this many times the last-level cache, so that no cache can answer. */
const ARENA_CACHES = 4;
const MEGABYTE = 1e6;
const SIZES = [1, 4, 16, 64, 256, 1024].map((megabytes) => megabytes * MEGABYTE);

/**
 * Host memory: objects are copied from one place of a large arena to another, by one thread per stream. A copy
 * reads and writes at once, so one law serves both directions.
 */
export const dram: TierKind = {
  name: 'dram',
  summary: 'host memory (no location)',
  async detect() {
    const note = `${formatBytes(availableMemoryBytes())} of memory available`;
    return [{ target: { name: 'dram', kind: 'dram' }, note }];
  },
  async measure(target, settings) {
    const openedAt = performance.now();
    if (target.location !== undefined) {
      throw new EvicpressError(
        `Tier ${target.name}: dram takes no location. Write --tier ${target.name}=dram.`,
      );
    }
    return measureDevice(target, openArena(target, settings), settings, openedAt);
  },
};

function openArena(target: TierTarget, settings: MeasureSettings): Device {
  const available = availableMemoryBytes();
  const mostStreams = Math.max(...settings.streams);
  const arenaBytes = settings.scratchBytes ?? ARENA_SHARE * available;
  const leastBytes = 2 * ARENA_CACHES * lastLevelCacheBytes();
  if (arenaBytes > available || arenaBytes < leastBytes) {
    throw new EvicpressError(
      `Tier ${target.name}: measuring memory takes at least ${formatBytes(leastBytes)}, but ${formatBytes(Math.min(arenaBytes, available))} may be used (${formatBytes(available)} available). Free some memory, or set --scratch.`,
    );
  }
  const workers: Worker[] = [];
  return {
    tool: `memory copy, Node ${process.version}`,
    scope: 'node',
    capacityBytes: Math.floor((CAPACITY_SHARE * available) / MEGABYTE) * MEGABYTE,
    capacityRule: `${CAPACITY_SHARE} of the memory available when measured`,
    sizes: SIZES,
    // A copy needs its source and its destination.
    largestWaveBytes: arenaBytes / 2,
    directions: ['read'],
    overheadSeconds: 0.002,
    cpuBound: true,
    remarks: [],
    async run(wave) {
      while (workers.length < mostStreams) workers.push(startWorker());
      return copyWave(workers.slice(0, wave.streams), wave, arenaBytes);
    },
    async close() {
      await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
    },
  };
}

function startWorker(): Worker {
  // Given as text, so that it is the same from the built package and from its sources.
  return new Worker(`(${copyInWorker})(require('node:worker_threads'))`, { eval: true });
}

/**
 * Seconds per transfer of a whole wave: all streams start at one barrier and copy the same number of objects;
 * the wave ends with the last of them. With more streams than cores each copy for itself would tell too little.
 */
async function copyWave(workers: readonly Worker[], wave: Wave, arenaBytes: number): Promise<number[]> {
  const barrier = new Int32Array(new SharedArrayBuffer(4));
  const cacheBytes = ARENA_CACHES * lastLevelCacheBytes();
  const perStream = Math.floor(
    Math.min(arenaBytes / workers.length, Math.max(2 * wave.bytes, 2 * cacheBytes)),
  );
  const copy = (rounds: number) =>
    Promise.all(
      workers.map((worker) =>
        ask(worker, {
          bytes: wave.bytes,
          arenaBytes: Math.max(perStream, 2 * wave.bytes),
          rounds,
          parties: workers.length,
          barrier,
        }),
      ),
    );
  const waves: number[] = [];
  const endsAt = performance.now() + 1e3 * wave.seconds;
  let rounds = 1;
  do {
    barrier[0] = 0;
    const replies = await copy(rounds);
    const start = Math.min(...replies.map((reply) => reply.startedAt));
    const end = Math.max(...replies.map((reply) => reply.endedAt));
    waves.push((end - start) / rounds);
    // Rounds enough for some ten waves in the time given: waking threads must not weigh in.
    rounds = Math.max(1, Math.round((0.1 * wave.seconds) / waves.at(-1)!));
  } while (performance.now() < endsAt);
  // The first wave touched fresh memory.
  return waves.length > 1 ? waves.slice(1) : waves;
}

function ask(worker: Worker, request: CopyRequest): Promise<CopyReply> {
  return new Promise((resolve, reject) => {
    worker.once('message', (reply: CopyReply) => {
      worker.off('error', reject);
      resolve(reply);
    });
    worker.once('error', reject);
    worker.postMessage(request);
  });
}
