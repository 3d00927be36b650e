/**
 * What planning costs: contexts with 76 options each (4 methods at 6 ratios and uncompressed on 3 tiers, and recompute),
 * two finite tiers, curves shared by 4,096 classes.
 *
 *   npm run bench -- planner [--sizes 1000,10000,...] [--only sizes,own,tree,lossy-tree,changed,sweep] [--python PYTHON]
 *
 * Every row is a process of its own. Seconds are of CPU, the median of several solves where they are short; memory is
 * the highest resident size of the whole process up to the end of the first solve, the instance included; the solve's share
 * is at most what that lies above the size before it. With a Python that has highspy, HiGHS solves the linear relaxation
 * and the whole problem of the small sizes beside it.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gapOfSpan } from '../../src/plan/baseline.js';
import type { Problem } from '../../src/plan/problem.js';
import { couplingRows } from '../../src/plan/rows.js';
import { pickContexts } from '../../src/plan/sample.js';
import { Scan } from '../../src/plan/scan.js';
import { logSpaced } from '../../src/plan/sizing.js';
import { dual, exact, type PricedPlan, pricedPlan } from '../../src/plan/solvers/dual.js';
import type { Solution } from '../../src/plan/solvers/solver.js';
import { Sweep } from '../../src/plan/sweep.js';
import { tableText } from '../../src/report/table-text.js';
import { drifted, type InstanceOptions, ordinaryInstance } from '../support/instances.js';
import { linearProgram } from '../support/linear-program.js';

const { values: flags } = parseArgs({
  args: process.argv.slice(2),
  options: {
    sizes: { type: 'string', default: '1000,10000,1000000,10000000' },
    only: { type: 'string', default: 'sizes,own,tree,lossy-tree,changed,sweep' },
    python: { type: 'string' },
    /** One row, in this process: its name and its size. */
    row: { type: 'string' },
  },
});

type Row = Readonly<Record<string, string>>;

const CLASSES = 4096;
/** Up to here a solve is repeated, and its proof is waited for. */
const SMALL = 10_000;
const REPEATS = 9;

const rows: Readonly<Record<string, (size: number) => Promise<Row>>> = {
  sizes: (size) => timed(size, {}),
  own: (size) => timed(size, { ownCurves: true }),
  tree: (size) => timed(size, { parents: 0.9, methods: 0 }),
  'lossy-tree': (size) => timed(size, { parents: 0.9 }),
  changed,
  cold,
  sweep,
};

if (flags.row === undefined) printTables();
else {
  const [name, size] = flags.row.split(':');
  console.log(JSON.stringify(await rows[name!]!(Number(size))));
}

function printTables(): void {
  const only = flags.only.split(',');
  const sizes = flags.sizes.split(',').map(Number);
  const large = sizes.filter((size) => size === 1_000_000);
  const tables: [title: string, name: string, sizes: readonly number[]][] = [
    ['Shared curves', 'sizes', sizes],
    ['A curve for each context', 'own', large],
    ['A prefix tree', 'tree', large],
    ['A prefix tree whose segments may be compressed', 'lossy-tree', [100_000]],
    ['1,000 changed contexts at the prices in force', 'changed', large],
    ['A sweep over 50 capacities', 'sweep', [1_000, 10_000, 100_000, 1_000_000]],
  ];
  for (const [title, name, of] of tables) {
    if (!only.includes(name)) continue;
    const found = of.map((size) => inProcess(name, size));
    if (found.length === 0) continue;
    const heads = [...new Set(found.flatMap((row) => Object.keys(row)))];
    console.log(`\n${title}`);
    console.log(
      tableText(
        heads,
        found.map((row) => heads.map((head) => row[head] ?? '')),
      ),
    );
  }
}

function inProcess(name: string, size: number): Row {
  const { stdout, status } = spawnSync(
    process.execPath,
    [
      ...process.execArgv,
      process.argv[1]!,
      '--row',
      `${name}:${size}`,
      ...(flags.python === undefined ? [] : ['--python', flags.python]),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' },
  );
  if (status !== 0) return { contexts: size.toLocaleString('en'), cold: `failed (${status})` };
  return JSON.parse(stdout);
}

/** Cold, warm after a tenth of the rates drifted, proof and memory of one instance. */
async function timed(size: number, options: Omit<InstanceOptions, 'contexts'>): Promise<Row> {
  const problem = ordinaryInstance({ contexts: size, classes: CLASSES, seed: 1, named: false, ...options });
  const after = drifted(problem, 0.1);
  const repeats = size <= SMALL ? REPEATS : 1;
  const solve = async (which: Problem, start?: Float64Array): Promise<Solution | PricedPlan> =>
    size <= SMALL ? pricedPlan(which, start && { start }) : dual.solve(which, start && { start });
  const first = await measured(() => solve(problem), 1);
  const prices = 'optimum' in first.found ? first.found.optimum.prices : first.found.prices;
  const again = await measured(() => solve(problem), repeats);
  const warm = await measured(() => solve(after, prices), repeats);
  const proof = size <= SMALL ? await measured(() => exact.solve(problem), 1) : undefined;
  const solution = proof?.found ?? (again.found as Solution);
  return {
    contexts: size.toLocaleString('en'),
    first: `${first.seconds.toFixed(3)} s`,
    cold: `${again.seconds.toFixed(3)} s`,
    warm: `${warm.seconds.toFixed(3)} s`,
    memory: `${(first.bytes / 1e6).toFixed(0)} MB`,
    'the solve': `≤ ${(first.added / 1e6).toFixed(0)} MB`,
    proof: proof === undefined ? '' : `${proof.seconds.toFixed(2)} s`,
    'gap of span': gapOfSpan(solution.bound, solution.utility, solution.baseline).toExponential(1),
    ...(size <= SMALL && flags.python !== undefined ? besideHighs(problem, solution, flags.python) : {}),
  };
}

/** A thousand contexts choose anew at the prices in force. */
async function changed(size: number): Promise<Row> {
  const problem = ordinaryInstance({ contexts: size, classes: CLASSES, seed: 1, named: false });
  const { prices } = await dual.solve(problem);
  const couplings = couplingRows(problem);
  const which = Int32Array.from({ length: 1000 }, (_, k) => Math.floor((k * size) / 1000));
  const choices = new Int32Array(which.length);
  const use = new Float64Array(couplings.length);
  const choose = () => new Scan(pickContexts(problem, which), couplings).choose(prices, use, choices);
  const { seconds } = await measured(choose, REPEATS);
  const whole = await measured(
    () => new Scan({ ...problem, forms: { ...problem.forms } }, couplings),
    REPEATS,
  );
  return {
    contexts: size.toLocaleString('en'),
    'with the curves at hand': `${(seconds * 1e3).toFixed(2)} ms`,
    'reading the curves': `${(whole.seconds * 1e3).toFixed(1)} ms`,
  };
}

/** Fifty capacities of the fastest tier, as `size` does it: first thing in a process, and when all is compiled. */
async function sweep(size: number): Promise<Row> {
  const problem = ordinaryInstance({ contexts: size, classes: CLASSES, seed: 1, named: false });
  const full = problem.demand.fullBytes.reduce((sum, bytes) => sum + bytes, 0);
  const sizes = logSpaced(Math.round(full / 200), Math.round(full / 2), 50);
  const points = sizes.map((bytes) => problem.tiers.map((tier, t) => (t === 0 ? bytes : tier.capacityBytes)));
  const solved = () => new Sweep(problem).along(points);
  const first = (await measured(solved, 1)).seconds;
  const cold = Number.parseFloat(inProcess('cold', size).first!);
  const warmCold = (await measured(() => dual.solve(problem), 3)).seconds;
  const all = (await measured(solved, 3)).seconds;
  return {
    contexts: size.toLocaleString('en'),
    'one cold solve, first': `${cold.toFixed(3)} s`,
    '50 points, first': `${first.toFixed(2)} s`,
    'in cold solves': (first / cold).toFixed(1),
    'one, compiled': `${warmCold.toFixed(3)} s`,
    '50, compiled': `${all.toFixed(2)} s`,
    ratio: (all / warmCold).toFixed(1),
  };
}

/** One solve, first thing in a process. */
async function cold(size: number): Promise<Row> {
  const problem = ordinaryInstance({ contexts: size, classes: CLASSES, seed: 1, named: false });
  return { first: String((await measured(() => dual.solve(problem), 1)).seconds) };
}

/** Bound and optimum by HiGHS, as differences from ours in shares of the span, and its seconds. */
function besideHighs(problem: Problem, ours: Solution, python: string): Row {
  const folder = mkdtempSync(join(tmpdir(), 'planner-bench-'));
  try {
    const path = join(folder, 'instance.json');
    writeFileSync(path, JSON.stringify(linearProgram(problem)));
    const script = fileURLToPath(new URL('highs.py', import.meta.url));
    // HiGHS greets on the same stream.
    const last = execFileSync(python, [script, path], { encoding: 'utf8' }).trim().split('\n').at(-1)!;
    const { lp, mip } = JSON.parse(last) as Record<
      'lp' | 'mip',
      { seconds: number; value: number | null; bound: number | null }
    >;
    const span = ours.bound - ours.baseline;
    const share = (a: number | null, b: number) => (a === null ? 'none' : ((a - b) / span).toExponential(1));
    return {
      'HiGHS LP': `${lp.seconds.toFixed(1)} s`,
      'LP − our bound': share(lp.value, ours.relaxationBound),
      'HiGHS MIP': `${mip.seconds.toFixed(1)} s`,
      'MIP − our plan': share(mip.value, ours.utility),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Measured<T> {
  readonly found: T;
  /** CPU seconds. */
  readonly seconds: number;
  /** The process's highest resident size so far, and how far it lies above the resident size before. */
  readonly bytes: number;
  readonly added: number;
}

async function measured<T>(run: () => T | Promise<T>, repeats: number): Promise<Measured<T>> {
  globalThis.gc?.();
  const resident = process.memoryUsage.rss();
  const seconds: number[] = [];
  let found: T | undefined;
  for (let k = 0; k < repeats; k++) {
    const began = process.cpuUsage();
    found = await run();
    const { user, system } = process.cpuUsage(began);
    seconds.push((user + system) / 1e6);
  }
  seconds.sort((a, b) => a - b);
  const bytes = 1024 * process.resourceUsage().maxRSS;
  return { found: found!, seconds: seconds[repeats >> 1]!, bytes, added: bytes - resident };
}
