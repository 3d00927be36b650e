// Runs the benches of this folder: `npm run bench` all of them, `npm run bench -- planner` one. What follows a
// bench's name is its own. A bench is a file NAME.bench.ts that prints its tables when it is run.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SUFFIX = '.bench.ts';
const folder = dirname(fileURLToPath(import.meta.url));
const benches = readdirSync(folder)
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => basename(file, SUFFIX))
  .sort();
const [wanted, ...rest] = process.argv.slice(2);

if (wanted !== undefined && !benches.includes(wanted)) {
  console.error(`Unknown bench "${wanted}". Pick one of: ${benches.join(', ')}.`);
  process.exit(1);
}

for (const name of wanted === undefined ? benches : [wanted]) {
  const { status } = spawnSync(
    process.execPath,
    ['--expose-gc', '--import', 'tsx', join(folder, name + SUFFIX), ...rest],
    { stdio: 'inherit' },
  );
  if (status !== 0) process.exit(status ?? 1);
}
