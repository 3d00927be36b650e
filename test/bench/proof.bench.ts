/**
 * How often the exact solver proves its plan optimal on instances that are hard on purpose.
 *
 *   npm run bench -- proof [--only any,giants,...] [--sizes 50,200,1000] [--tiers 2,3,4] [--seeds 5] [--python PYTHON]
 *
 * Seconds are of CPU. With a Python that has highspy, HiGHS solves the same instances within ten seconds each, and its
 * optimum is compared with plan and bound.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gapOfSpan } from '../../src/plan/baseline.js';
import type { Problem } from '../../src/plan/problem.js';
import { exact } from '../../src/plan/solvers/dual.js';
import { tableText } from '../../src/report/table-text.js';
import { anyParent, anyRate, anySize, type Hard, hardInstance } from '../support/hard-instance.js';
import { linearProgram } from '../support/linear-program.js';

const { values: flags } = parseArgs({
  args: process.argv.slice(2),
  options: {
    only: { type: 'string', default: 'any,giants,apart,tight,slow-remote,ties,tree,lossy-tree' },
    sizes: { type: 'string', default: '50,200,1000' },
    tiers: { type: 'string', default: '2,3,4' },
    seeds: { type: 'string', default: '5' },
    python: { type: 'string' },
  },
});

const GB = 1e9;
/** A gap that is rounding. */
const PROVED = 1e-12;
const HIGHS_SECONDS = 10;

type Family = Omit<Hard, 'contexts' | 'capacities'> & { readonly scale?: number };

/** Capacities as shares of all bytes, by number of finite tiers; the last of four is the slowest of all. */
const SHARES: Readonly<Record<string, readonly number[]>> = {
  '2': [1 / 20, 1 / 5],
  '3': [1 / 50, 1 / 20, 1 / 5],
  '4': [1 / 100, 1 / 50, 1 / 10, 1 / 4],
};

const families: Readonly<Record<string, Family>> = {
  any: { bytes: anySize, rate: anyRate },
  giants: {
    bytes: (i, random) => (i < 8 ? (3 + random()) * GB : 1e6 * (1 + random())),
    rate: (i, random) => (i < 8 ? 50 + random() : random()),
  },
  apart: {
    bytes: (_, random) => Math.round(10 ** (3 + 9 * random())),
    rate: (_, random) => 10 ** (12 * random() - 6),
  },
  tight: { bytes: anySize, rate: anyRate, scale: 0.1 },
  'slow-remote': { bytes: anySize, rate: anyRate, remote: 1e7, remoteLatency: 1 },
  ties: { bytes: (i) => 1e8 * (1 + (i % 3)), rate: (i) => 1 + (i % 2) },
  tree: { bytes: anySize, rate: (i) => 100 / (1 + i), parent: anyParent, methods: 0 },
  'lossy-tree': { bytes: anySize, rate: (i) => 100 / (1 + i), parent: anyParent },
};

const table: string[][] = [];
for (const name of flags.only.split(',')) {
  for (const finite of flags.tiers.split(',')) {
    for (const contexts of flags.sizes.split(',').map(Number))
      table.push(await measured(name, finite, contexts));
  }
}
console.log(
  tableText(
    [
      'instances',
      'finite tiers',
      'contexts',
      'proved in 2 s',
      'in 10 s',
      'at all',
      'median',
      'longest',
      'worst gap of span',
      ...(flags.python === undefined ? [] : ['HiGHS in 2 s', 'in 10 s', 'bound refuted']),
    ],
    table,
  ),
);

/** One row: as many instances as there are seeds. */
async function measured(name: string, finite: string, contexts: number): Promise<string[]> {
  const { scale = 1, ...family } = families[name]!;
  const shares = SHARES[finite]!.map((share) => share * scale);
  const judged = async (seed: number) => {
    const problem = hardInstance({
      ...family,
      contexts,
      seed: 1000 + seed,
      capacities: (total) => shares.slice(0, 3).map((share) => share * total),
      ...(shares[3] === undefined ? {} : { remoteShare: shares[3] }),
    });
    const began = process.cpuUsage();
    const { bound, utility, baseline } = await exact.solve(problem);
    const { user, system } = process.cpuUsage(began);
    const span = Math.max(bound - baseline, Number.MIN_VALUE);
    const highs = flags.python === undefined ? undefined : byHighs(problem, flags.python);
    // HiGHS itself is right to some 1e-7 of its figures only.
    const slack = 1e-6 * span;
    return {
      seconds: (user + system) / 1e6,
      gap: gapOfSpan(bound, utility, baseline),
      highs,
      refuted: highs?.value != null && highs.value > bound + slack,
    };
  };
  const found: Awaited<ReturnType<typeof judged>>[] = [];
  for (let seed = 0; seed < Number(flags.seeds); seed++) found.push(await judged(seed));
  const seconds = found.map((one) => one.seconds).sort((a, b) => a - b);
  const proved = (within: number) =>
    `${found.filter((one) => one.gap <= PROVED && one.seconds <= within).length}/${found.length}`;
  const byThem = (within: number) =>
    `${found.filter(({ highs }) => highs?.value != null && highs.seconds <= within).length}/${found.length}`;
  const row = [
    name,
    finite,
    String(contexts),
    proved(2),
    proved(10),
    proved(Number.POSITIVE_INFINITY),
    `${seconds[seconds.length >> 1]!.toFixed(2)} s`,
    `${seconds.at(-1)!.toFixed(2)} s`,
    Math.max(...found.map((one) => one.gap)).toExponential(1),
    ...(flags.python === undefined
      ? []
      : [byThem(2), byThem(HIGHS_SECONDS), String(found.filter((one) => one.refuted).length)]),
  ];
  console.error(row.join(' | '));
  return row;
}

/** What HiGHS takes and finds; no value where it did not end in time. */
function byHighs(problem: Problem, python: string): { seconds: number; value: number | null } {
  const folder = mkdtempSync(join(tmpdir(), 'proof-bench-'));
  try {
    const path = join(folder, 'instance.json');
    writeFileSync(path, JSON.stringify(linearProgram(problem)));
    const script = fileURLToPath(new URL('highs.py', import.meta.url));
    // HiGHS greets on the same stream.
    const last = execFileSync(python, [script, path, String(HIGHS_SECONDS)], { encoding: 'utf8' });
    return JSON.parse(last.trim().split('\n').at(-1)!).mip;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
