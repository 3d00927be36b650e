// Runs the benches of this folder: `npm run bench` all of them, `npm run bench -- planner` one. What follows a
// bench's name is its own. A bench is a file NAME.bench.ts that prints its tables when it is run. It is bundled first,
// as the program is: where modules are compiled one by one for tests, functions within functions are slower.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

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

/** What a module finds beside itself it finds from the bundle too. */
const keepUrls = {
  name: 'keep-urls',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll(
        'import.meta.url',
        JSON.stringify(pathToFileURL(path).href),
      ),
      loader: 'ts',
    }));
  },
};

// Within the package, so that packages are found from it.
const cache = join(folder, '../../node_modules/.cache');
mkdirSync(cache, { recursive: true });
const bundles = mkdtempSync(join(cache, 'bench-'));
let status = 0;
try {
  for (const name of wanted === undefined ? benches : [wanted]) {
    const outfile = join(bundles, `${name}.mjs`);
    await build({
      entryPoints: [join(folder, name + SUFFIX)],
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      packages: 'external',
      plugins: [keepUrls],
      logLevel: 'warning',
    });
    status = spawnSync(process.execPath, ['--expose-gc', outfile, ...rest], { stdio: 'inherit' }).status ?? 1;
    if (status !== 0) break;
  }
} finally {
  rmSync(bundles, { recursive: true, force: true });
}
process.exitCode = status;
