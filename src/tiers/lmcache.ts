import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import * as z from 'zod';
import { EvicpressError, errors, printable } from '../errors.js';
import { formatBytes, formatBytesPerSecond, formatSeconds } from '../units.js';
import { fitTransfer, type Sample } from './fit.js';
import type { BesideKind, MeasureSettings } from './kind.js';
import { folderFault, folderRoom, removeLeftovers, scratchPath } from './scratch.js';

const MEBIBYTE = 2 ** 20;
/** A chunk of 256 tokens is of this order: 6 MB for SmolLM2-135M, 34 MB for Llama-3.1-8B. */
const CHUNK_BYTES = 4 * MEBIBYTE;
/** Chunks that are loaded by one request to the adapter: a short context and a long one. */
const CHUNKS = [1, 16];
/** One round to warm up, these to measure. */
const ROUNDS = 8;
/** Most of it is the start of Python with torch. */
const MOST_SECONDS = 300;

/** What `lmcache bench l2 --format json` writes, as far as it is used here (LMCache 0.5.6). */
const reportSchema = z.object({
  metrics: z.record(z.string(), z.unknown()),
});
const operationSchema = z.object({
  operation: z.string(),
  rounds: z.number(),
  total_keys: z.number(),
  total_success: z.number(),
  duration_p50_ms: z.number().positive(),
});

/** Runs `lmcache` to its end. @throws where it is missing or fails. */
export type RunLmcache = (args: readonly string[], signal: AbortSignal) => Promise<void>;

const runLmcache: RunLmcache = async (args, signal) => {
  await execa('lmcache', args, {
    timeout: 1e3 * MOST_SECONDS,
    stdin: 'ignore',
    cancelSignal: signal,
    env: { LMCACHE_DISABLE_BANNER: '1', LMCACHE_TRACK_USAGE: 'false' },
  });
};

/**
 * What LMCache's own storage adapter stores and loads in a folder, by `lmcache bench l2`: a disk may give more than
 * the engine takes. Seconds per request of one chunk and of sixteen, fitted as latency + bytes/bandwidth.
 */
export const lmcache: BesideKind = {
  name: 'lmcache',
  summary: "what LMCache's storage adapter gets out of a folder: lmcache:/mnt/nvme",
  field: 'engines',
  async detect() {
    return []; // a second opinion on a disk that is offered already
  },
  async check(target) {
    await folderRoom(folderOf(target), target.name);
  },
  measure: (target, settings) => measureAdapter(target, settings, runLmcache),
};

function folderOf({ name, location }: { readonly name: string; readonly location?: string }): string {
  if (location !== undefined) return location;
  throw new EvicpressError(`Tier ${name}: lmcache needs a folder. Write --tier ${name}=lmcache:/mnt/nvme.`);
}

/** As `lmcache.measure`, with the program handed in. @throws EvicpressError */
export async function measureAdapter(
  target: { readonly name: string; readonly location?: string },
  settings: MeasureSettings,
  run: RunLmcache,
): Promise<Awaited<ReturnType<BesideKind['measure']>>> {
  const { name } = target;
  const folder = folderOf(target);
  const room = await folderRoom(folder, name);
  const needed = (ROUNDS + 1) * CHUNKS.at(-1)! * CHUNK_BYTES;
  const allowed = Math.min(room.freeBytes, settings.scratchBytes ?? Number.POSITIVE_INFINITY);
  if (needed > allowed)
    throw new EvicpressError(
      `Tier ${name}: ${printable(folder)}: LMCache's benchmark writes ${formatBytes(needed)}, there is room for ${formatBytes(allowed)}. Free some, or name another folder.`,
    );
  // Memory knows no direct I/O; on a disk it goes round the page cache, as an engine's tier should.
  const direct = room.memory === undefined;
  const scratch = scratchPath(folder);
  try {
    removeLeftovers(folder);
    await mkdir(scratch);
  } catch (error) {
    throw folderFault(error, folder, name);
  }
  const samples: Record<'read' | 'write', Sample[]> = { read: [], write: [] };
  try {
    for (const [k, chunks] of CHUNKS.entries()) {
      settings.onProgress({ stage: `${name} through LMCache`, done: k, total: CHUNKS.length });
      const seconds = await bench(join(scratch, String(chunks)), chunks, direct, settings.signal, run).catch(
        (error) => {
          throw settings.signal.aborted ? errors.interrupted() : benchFault(name, error);
        },
      );
      for (const direction of ['read', 'write'] as const)
        samples[direction].push({
          bytes: chunks * CHUNK_BYTES,
          streams: 1,
          pass: 1,
          seconds: seconds[direction],
        });
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  const read = fitTransfer(samples.read).transfer;
  const write = fitTransfer(samples.write).transfer;
  return {
    name,
    kind: 'lmcache',
    source: 'measured',
    measuredAt: new Date().toISOString(),
    location: folder,
    tool: 'lmcache bench l2',
    adapter: direct ? 'fs_native, direct I/O' : 'fs_native',
    chunkBytes: CHUNK_BYTES,
    read,
    write,
    samples,
    summary: `LMCache's fs_native on ${printable(folder)}: loads ${formatBytesPerSecond(read.bytesPerSecond)} after ${formatSeconds(read.latencySeconds)}, stores ${formatBytesPerSecond(write.bytesPerSecond)} after ${formatSeconds(write.latencySeconds)}`,
  };
}

/** Median seconds of a load and of a store of so many chunks. */
async function bench(
  folder: string,
  chunks: number,
  direct: boolean,
  signal: AbortSignal,
  run: RunLmcache,
): Promise<{ read: number; write: number }> {
  const output = `${folder}.json`;
  const adapter = { type: 'fs_native', base_path: folder, use_odirect: direct };
  await run(
    [
      ...['bench', 'l2', '--l2-adapter', JSON.stringify(adapter), '--l1-align-bytes', '4096'],
      ...['--num-keys', String(chunks), '--data-size-kb', String(CHUNK_BYTES / 1024)],
      ...['--rounds', String(ROUNDS), '--warmup-rounds', '1'],
      ...['--format', 'json', '--output', output, '--quiet'],
    ],
    signal,
  );
  const { metrics } = reportSchema.parse(JSON.parse(await readFile(output, 'utf8')));
  const operations = Object.values(metrics).flatMap((value) => operationSchema.safeParse(value).data ?? []);
  const secondsOf = (name: string): number => {
    const found = operations.find(({ operation }) => operation === name);
    if (found === undefined) throw new Error(`its report says nothing of "${name}"`);
    if (found.total_success < found.total_keys)
      throw new Error(`only ${found.total_success} of ${found.total_keys} chunks came through in "${name}"`);
    return found.duration_p50_ms / 1e3;
  };
  await rm(folder, { recursive: true, force: true });
  return { read: secondsOf('Load'), write: secondsOf('Store') };
}

function benchFault(tier: string, error: unknown): EvicpressError {
  const { code, stderr, shortMessage, message } = error as NodeJS.ErrnoException & {
    stderr?: string;
    shortMessage?: string;
  };
  if (code === 'ENOENT')
    return new EvicpressError(
      `Tier ${tier}: the command lmcache is not on the path. Activate the environment that LMCache is installed in, or measure the folder itself: --tier ${tier}=file:FOLDER.`,
    );
  const last = stderr?.trim().split('\n').at(-1);
  const why = last === undefined || last === '' ? (shortMessage ?? message) : last;
  return new EvicpressError(
    `Tier ${tier}: lmcache bench l2 failed: ${printable(why)}. Measure the folder itself instead: --tier ${tier}=file:FOLDER.`,
  );
}
