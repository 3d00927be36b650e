import { Worker } from 'node:worker_threads';
import { EvicpressError, errors, NotMeasurableError } from '../errors.js';
import { formatBytes } from '../units.js';
import { type CopyReply, type CopyRequest, copyInWorker } from './copy-worker.js';
import { availableMemoryBytes, lastLevelCacheBytes } from './host.js';
import type { Device, MeasureSettings, Remark, TierKind, TierTarget, Wave } from './kind.js';
import { measureDevice } from './measure.js';

/** Share of the memory that is available now which a KV cache is taken to get, unless told otherwise. */
const CAPACITY_SHARE = 0.5;
/** Source and destination each are this many times the last-level cache, so that no cache can answer. */
const ARENA_CACHES = 4;
/** Share of the available memory that the arenas may take together. */
const MOST_SHARE_OF_AVAILABLE = 0.5;
const MEGABYTE = 1e6;
const SIZES = [1, 4, 16, 64, 256, 1024, 4096].map((megabytes) => megabytes * MEGABYTE);

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
  async check(target) {
    if (target.location === undefined) return;
    throw new EvicpressError(
      `Tier ${target.name}: dram takes no location. Write --tier ${target.name}=dram.`,
    );
  },
  async measure(target, settings) {
    const openedAt = performance.now();
    const available = availableMemoryBytes();
    const allowed = Math.min(settings.scratchBytes ?? available, MOST_SHARE_OF_AVAILABLE * available);
    const cacheBytes = lastLevelCacheBytes();
    const streams = streamsWithin(settings.streams, allowed, cacheBytes);
    if (streams.length === 0) {
      const needed = arenaBytes(Math.min(...settings.streams), cacheBytes);
      throw new NotMeasurableError(
        `Tier ${target.name}: measuring memory past the processor's cache takes ${formatBytes(needed)}, but only ${formatBytes(allowed)} may be used. Free some memory, or raise --scratch.`,
      );
    }
    const device = await openArena(target, settings, available, arenaSizes(Math.max(...streams), cacheBytes));
    const left = settings.streams.filter((count) => !streams.includes(count));
    const remarks: Remark[] =
      left.length === 0
        ? []
        : [
            {
              level: 'noisy',
              text: `${left.join(', ')} streams were left out: only ${formatBytes(allowed)} of memory may be used`,
            },
          ];
    return measureDevice(target, { ...device, remarks }, { ...settings, streams }, openedAt);
  },
};

/**
 * The numbers of streams, of those asked for, whose arenas fit in memory together.
 * @param allowed bytes that the arenas may take.
 * @param cacheBytes of the last-level cache.
 */
export function streamsWithin(streams: readonly number[], allowed: number, cacheBytes: number): number[] {
  return streams.filter((count) => arenaBytes(count, cacheBytes) <= allowed);
}

const arenaBytes = (streams: number, cacheBytes: number) =>
  arenaSizes(streams, cacheBytes).reduce((sum, bytes) => sum + bytes, 0);

async function openArena(
  target: TierTarget,
  settings: MeasureSettings,
  available: number,
  arenas: readonly number[],
): Promise<Omit<Device, 'remarks'>> {
  const needed = arenas.reduce((sum, bytes) => sum + bytes, 0);
  const workers: Worker[] = [];
  /** What each thread has waited for a processor. */
  const waits = arenas.map(() => 0);
  const close = async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
  };
  try {
    for (const arenaBytes of arenas) {
      settings.onProgress({
        stage: `${target.name} preparing`,
        done: workers.length,
        total: arenas.length,
        note: `${formatBytes(needed)} of test data`,
      });
      workers.push(startWorker());
      await ask(workers.at(-1)!, { arenaBytes });
      if (settings.signal.aborted) throw errors.interrupted('Nothing was left behind.');
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    tool: `memory copy, Node ${process.version}`,
    scope: 'node',
    capacityBytes: Math.floor((CAPACITY_SHARE * available) / MEGABYTE) * MEGABYTE,
    capacityRule: `${CAPACITY_SHARE} of the memory available when measured`,
    sizes: SIZES,
    largestWaveBytes: Number.POSITIVE_INFINITY,
    directions: ['read'],
    waitSeconds: () => waits[0]!,
    details: { arenaBytes: needed },
    run: (wave) => copyWave(workers.slice(0, wave.streams), wave, waits),
    close,
  };
}

/** One arena per thread: those under way together always exceed the cache by the same factor. */
function arenaSizes(streams: number, cacheBytes: number): number[] {
  const alone = 2 * ARENA_CACHES * cacheBytes;
  return Array.from({ length: streams }, (_, i) => Math.ceil(alone / (i + 1) / 4096) * 4096);
}

function startWorker(): Worker {
  // Given as text, so that it is the same from the built package and from its sources.
  return new Worker(`(${copyInWorker})(require('node:worker_threads'))`, { eval: true });
}

/**
 * Seconds per transfer of a whole wave: all streams start at one barrier and copy the same number of objects;
 * the wave ends with the last of them. With more streams than cores each copy for itself would tell too little.
 */
async function copyWave(workers: readonly Worker[], wave: Wave, waits: number[]): Promise<number[]> {
  const barrier = new Int32Array(new SharedArrayBuffer(4));
  const copy = (rounds: number) =>
    Promise.all(
      workers.map((worker) => ask(worker, { bytes: wave.bytes, rounds, parties: workers.length, barrier })),
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
    replies.forEach((reply, i) => {
      waits[i]! += reply.waitSeconds;
    });
    // Rounds enough for some ten waves in the time given: waking threads must not weigh in.
    rounds = Math.max(1, Math.round((0.1 * wave.seconds) / waves.at(-1)!));
  } while (performance.now() + 5e2 * rounds * waves.at(-1)! < endsAt);
  // The first wave also woke the threads.
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
