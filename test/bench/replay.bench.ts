/**
 * How fast the replay is, alone and beside libCacheSim.
 *
 *   npm run build && npm run bench -- replay [--log FILE] [--copies N] [--blocks N] [--rounds N] [--cachesim PROGRAM]
 *
 * With --copies the log follows itself so many times, each time with ids of its own: 38 times the conversation log
 * are 11 million accesses.
 *
 * 1. In this process: reading the log, and block accesses per second of every policy: of its first run, and of later
 *    ones, when a second of runs has had their code compiled.
 * 2. With --cachesim, whole processes in turns: ours (read + LRU; without and with the parsed log in the cache) and
 *    libCacheSim's, LRU of as many blocks, on a binary trace (oracleGeneral) that is made beforehand.
 */

import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compressionOf } from '../../src/replay/compression.js';
import { LogFacts } from '../../src/replay/log-facts.js';
import { policies } from '../../src/replay/policies/index.js';
import { policyRun } from '../../src/replay/runs.js';
import { type ReplaySetting, replay } from '../../src/replay/simulator.js';
import { tableText } from '../../src/report/table-text.js';
import { loadTrace } from '../../src/traces/load.js';
import type { Trace } from '../../src/traces/trace.js';
import { model, tier } from '../replay/setting.js';
import { BUNDLED_LOG } from '../traces/logs.js';

const { values: flags } = parseArgs({
  args: process.argv.slice(2),
  options: {
    log: { type: 'string', default: BUNDLED_LOG },
    copies: { type: 'string', default: '1' },
    blocks: { type: 'string', default: '5484' },
    rounds: { type: 'string', default: '5' },
    policies: { type: 'string', default: policies.map(({ name }) => name).join() },
    cachesim: { type: 'string' },
  },
});
const rounds = Number(flags.rounds);
const folder = mkdtempSync(join(tmpdir(), 'evicpress-bench-'));

try {
  const log = Number(flags.copies) === 1 ? resolve(flags.log) : await copied(Number(flags.copies));
  const [trace, seconds] = await timed(() => loadTrace(log));
  console.log(`${log}: ${trace.blocks.length} accesses, read in ${seconds.toFixed(2)} s`);
  inProcess(trace);
  if (flags.cachesim !== undefined) besideCachesim(trace, log, flags.cachesim);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function inProcess(trace: Trace): void {
  const compression = compressionOf(trace, undefined);
  const facts = new LogFacts(trace);
  const setting: ReplaySetting = {
    trace,
    facts,
    tiers: [tier('dram', Number(flags.blocks))],
    model,
    compression,
    warm: 0,
  };
  const rows = flags.policies.split(',').map((name) => {
    const seconds = () => {
      const before = process.cpuUsage();
      replay(setting, policyRun(name, trace, compression));
      return process.cpuUsage(before).user / 1e6;
    };
    const first = seconds();
    for (let warming = first; warming < 1; ) warming += Math.max(seconds(), 1e-3);
    const later = median(Array.from({ length: rounds }, seconds));
    return [
      name,
      ...[first, later].flatMap((time) => [rateOf(trace, time), `${(1000 * time).toFixed(0)} ms`]),
    ];
  });
  console.log(tableText(['policy', 'first run, per CPU second', 'CPU', 'later runs', 'CPU'], rows));
}

/** Block accesses per second. */
function rateOf({ blocks }: Trace, seconds: number): string {
  return `${(blocks.length / seconds / 1e6).toFixed(1)} M/s`;
}

function besideCachesim(trace: Trace, log: string, program: string): void {
  const binary = join(folder, 'trace.oracleGeneral');
  writeFileSync(binary, oracleGeneral(trace));
  const bin = fileURLToPath(new URL('../../bin/evicpress.js', import.meta.url));
  const capacity = [
    '--capacity',
    `dram=${flags.blocks}blocks`,
    '--capacity',
    'ssd=0',
    '--capacity',
    'remote=0',
  ];
  const ours = [bin, 'replay', log, '--policies', 'lru', ...capacity, '-q', '-o', join(folder, 'o.json')];
  const theirs = [binary, 'oracleGeneral', 'lru', flags.blocks, '--ignore-obj-size', '1'];
  const contenders = {
    cachesim: () => wall(program, theirs),
    'evicpress, log parsed': () => {
      rmSync(join(folder, 'cache'), { recursive: true, force: true });
      return wall(process.execPath, ours);
    },
    'evicpress, log in the cache': () => wall(process.execPath, ours),
  };
  const times = Object.keys(contenders).map((): number[] => []);
  for (let round = 0; round < rounds; round++)
    Object.values(contenders).forEach((run, i) => {
      times[i]!.push(run());
    });
  const figures = [median, (values: readonly number[]) => Math.min(...values)];
  const rows = Object.keys(contenders).map((name, i) => [
    name,
    ...figures.flatMap((of) => {
      const seconds = of(times[i]!);
      return [`${(1000 * seconds).toFixed(0)} ms`, `${(seconds / of(times[0]!)).toFixed(2)} ×`];
    }),
  ]);
  console.log(
    tableText(['whole process', 'wall, median', 'of cachesim', 'wall, least', 'of its least'], rows),
  );
}

/** The log several times in a row, as a file. */
async function copied(copies: number): Promise<string> {
  const trace = await loadTrace(flags.log);
  const { requests, timestampSeconds, inputTokens, outputTokens, blocks, blockOffsets, tokensOfBlock } =
    trace;
  const span = timestampSeconds[requests - 1]! + 1;
  const path = join(folder, 'copies.jsonl');
  for (let copy = 0; copy < copies; copy++) {
    const lines = Array.from({ length: requests }, (_, r) =>
      JSON.stringify({
        timestamp: Math.round(1000 * (timestampSeconds[r]! + copy * span)),
        input_length: inputTokens[r],
        output_length: outputTokens[r],
        hash_ids: Array.from(
          blocks.subarray(blockOffsets[r], blockOffsets[r + 1]),
          (block) => block + copy * tokensOfBlock.length,
        ),
      }),
    );
    appendFileSync(path, `${lines.join('\n')}\n`);
  }
  return path;
}

/** Records of 24 bytes: time, id, size, position of the id's next access; tail first, as the replay inserts. */
function oracleGeneral({ blocks, blockOffsets, requests, tokensOfBlock, timestampSeconds }: Trace): Buffer {
  const bytes = Buffer.alloc(24 * blocks.length);
  let at = 0;
  for (let r = 0; r < requests; r++)
    for (let k = blockOffsets[r + 1]! - 1; k >= blockOffsets[r]!; k--, at += 24) {
      bytes.writeUInt32LE(Math.floor(timestampSeconds[r]!), at);
      bytes.writeUInt32LE(blocks[k]! + 1, at + 4);
      bytes.writeUInt32LE(1, at + 12);
    }
  const next = new Int32Array(tokensOfBlock.length).fill(-1);
  for (at -= 24; at >= 0; at -= 24) {
    const block = bytes.readUInt32LE(at + 4) - 1;
    bytes.writeBigInt64LE(BigInt(next[block]!), at + 16);
    next[block] = at / 24;
  }
  return bytes;
}

function wall(program: string, args: readonly string[]): number {
  // With certificates of its own Node reads all of them at every start, which says nothing of a replay.
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const start = performance.now();
  const { status, stderr } = spawnSync(program, args, {
    cwd: folder,
    env: { ...env, EVICPRESS_CACHE: join(folder, 'cache') },
  });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${String(stderr)}`);
  return (performance.now() - start) / 1000;
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  const result = await work();
  return [result, (performance.now() - start) / 1000];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
