/**
 * A table larger than memory as a log: block accesses of sessions in no order, made on the fly, read through DuckDB
 * and replayed under LRU.
 *
 *   npm run build && npm run bench -- tables [--rows N] [--blocks N] [--folder FOLDER]
 *
 * The reading process is ours alone; its highest memory is printed beside the time (`VmHWM`, Linux). DuckDB sorts
 * in a folder of its own, the table and that folder take some 100 bytes a row.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { literal, TableEngine } from '../../src/traces/table/duckdb.js';
import { formatBytes } from '../../src/units.js';

const { values: flags } = parseArgs({
  args: process.argv.slice(2),
  options: {
    rows: { type: 'string', default: '100000000' },
    blocks: { type: 'string', default: '500000' },
    folder: { type: 'string', default: tmpdir() },
  },
});
/** Blocks of a request, as long as the mean of the conversation log; sessions come back, some often, most not. */
const BLOCKS = 24;
const REQUESTS_PER_SESSION = 8;
const POLL_MS = 100;

const rows = Number(flags.rows);
const folder = mkdtempSync(join(flags.folder, 'evicpress-tables-'));
const table = join(folder, 'accesses.parquet');
try {
  const engine = await TableEngine.open(({ stage }) => console.log(stage));
  const requests = Math.ceil(rows / BLOCKS);
  const sessions = Math.ceil(requests / REQUESTS_PER_SESSION);
  // A prime number of steps goes through all requests in an order that is not that of time.
  const session = `floor(${sessions} * pow((hash(request) % 1000000007) / 1000000007, 3))`;
  const made = await timed(async () => {
    await engine.rows(
      `COPY (SELECT (i // ${BLOCKS}) * 15485863 % ${requests} AS request, request / 100 AS timestamp,
        i % ${BLOCKS} AS position, (${session} * ${BLOCKS})::BIGINT + position AS block,
        ${BLOCKS * 512} AS inputTokens, 100 AS outputTokens FROM range(${rows}) AS t(i)) TO ${literal(table)}`,
    );
    await engine.close();
  });
  console.log(`${rows} rows made in ${made.toFixed(0)} s: ${formatBytes(statSync(table).size)} of Parquet`);
  let peak = 0;
  const read = await timed(async () => {
    peak = await replayed();
  });
  console.log(`read, sorted and replayed in ${read.toFixed(0)} s, at most ${formatBytes(peak)} of memory`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Replays the table in a process of its own. @returns the most memory that it had, in bytes. */
function replayed(): Promise<number> {
  const bin = fileURLToPath(new URL('../../bin/evicpress.js', import.meta.url));
  const capacity = ['ssd=0', 'remote=0', `dram=${flags.blocks}blocks`].flatMap((each) => [
    '--capacity',
    each,
  ]);
  const child = spawn(
    process.execPath,
    [bin, 'replay', table, '--policies', 'lru', ...capacity, '-q', '-o', join(folder, 'replay.json')],
    { stdio: 'inherit' },
  );
  let peak = 0;
  const poll = setInterval(() => {
    try {
      const kilobytes = /VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
      peak = Math.max(peak, 1024 * Number(kilobytes ?? 0));
    } catch {
      // Ended, or another system.
    }
  }, POLL_MS);
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => {
      clearInterval(poll);
      if (code === 0) resolve(peak);
      else reject(new Error(`evicpress replay ended with ${code}`));
    });
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
