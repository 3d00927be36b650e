// Builds what `evicpress report` puts into its page: the page's script and style, and the chart library.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../', import.meta.url));
const page = join(root, 'src/report/page');
const output = join(root, 'dist/page');

mkdirSync(output, { recursive: true });
await build({
  entryPoints: [join(page, 'main.ts'), join(page, 'page.css')],
  outdir: output,
  bundle: true,
  minify: true,
  charset: 'utf8',
  target: ['es2022'],
  format: 'iife',
  legalComments: 'none',
  tsconfig: join(page, 'tsconfig.json'),
});

// The browser builds set globals; vega-lite and vega-embed find vega there. Their licences go along.
const packages = ['vega', 'vega-lite', 'vega-embed'];
const parts = packages.map((name) => {
  const folder = packageFolder(name);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const licence = readFileSync(join(folder, 'LICENSE'), 'utf8').replaceAll('*/', '* /');
  const code = readFileSync(join(folder, 'build', `${name}.min.js`), 'utf8').replace(
    /\n\/\/# sourceMappingURL=.*/,
    '',
  );
  return `/*! ${name} ${version}\n${licence}*/\n${code}`;
});
writeFileSync(join(output, 'charts.js.gz'), gzipSync(`${parts.join('\n;\n')}\n`, { level: 9 }));

function packageFolder(name) {
  return join(root, 'node_modules', name);
}
