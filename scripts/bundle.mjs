// Bundles the program into dist/: the command line, the library and the workers are entry points, what they share
// lies in dist/chunks, so that a command reads a few files instead of hundreds. Packages the program cannot do
// without are bundled too, their licences go along; optional ones (peers) and HiGHS, which is WebAssembly, are loaded
// from where they are installed.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../', import.meta.url));
const dist = join(root, 'dist');
const { peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** A file of this name runs in a thread of its own: src/a/b.worker.ts becomes dist/a/b.worker.js. */
const workers = readdirSync(join(root, 'src'), { recursive: true }).filter((file) =>
  file.endsWith('.worker.ts'),
);

rmSync(join(dist, 'chunks'), { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['cli.ts', 'index.ts', ...workers].map((file) => `src/${file}`),
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: [...Object.keys(peerDependencies), 'highs'],
  // Packages in CommonJS take these for given.
  banner: {
    js: [
      "import { createRequire as __requireFrom } from 'node:module'",
      'const require = __requireFrom(import.meta.url)',
      'const { filename: __filename, dirname: __dirname } = import.meta;',
    ].join('; '),
  },
  legalComments: 'none',
  minifyWhitespace: true,
  minifySyntax: true,
  metafile: true,
  logLevel: 'warning',
});
writeFileSync(join(dist, 'LICENSES.txt'), licences(Object.keys(metafile.inputs)));

/** The licences of the packages that the bundled files come from. */
function licences(files) {
  const folders = new Set(
    files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []),
  );
  return [...folders]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      const file = readdirSync(join(root, folder)).find((each) => /^licen[cs]e/i.test(each));
      const text = file === undefined ? '' : `\n${readFileSync(join(root, folder, file), 'utf8').trim()}\n`;
      return `${name} ${version} (${license})\n${text}`;
    })
    .join('\n----\n\n');
}
