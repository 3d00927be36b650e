import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Node itself as an npm package: the majors the program supports beside the one that runs this test. */
const OTHER_NODES = ['node@22', 'node@24'];

let folder: string;
let tarball: string;
const user = () => join(folder, 'user');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evicpress-pack-'));
  const copy = join(folder, 'copy');
  const { stdout } = await execa('git', ['ls-files', '-z'], { cwd: ROOT });
  for (const file of stdout.split('\0').filter((name) => name !== '' && existsSync(join(ROOT, name))))
    cpSync(join(ROOT, file), join(copy, file));
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  await execa('npm', ['pack', '--pack-destination', folder, '--loglevel=error'], { cwd: copy });
  tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz'))!);
  mkdirSync(user());
  writeFileSync(join(user(), 'package.json'), '{"type": "module", "private": true}\n');
  await execa('npm', ['install', tarball, '--no-audit', '--no-fund', '--loglevel=error'], { cwd: user() });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PLAN = [
  ...['plan', '--json', '--tiers', 'h100-host', '--model', 'llama-3.1-8b', '--capacity', 'dram=40GB'],
  ...['--trace', 'node_modules/evicpress/profiles/traces/mooncake-conversation-1500.jsonl.gz'],
];

describe('the packed package', () => {
  it('is clean to publint', async () => {
    const { stdout } = await execa(join(ROOT, 'node_modules/.bin/publint'), [tarball], { all: true });
    expect(stdout).toMatch(/All good/);
  });

  it('installs within 60 MB, no native code among it', () => {
    const files = readdirSync(join(user(), 'node_modules'), { recursive: true, encoding: 'utf8' });
    const bytes = files.reduce((sum, file) => {
      const stats = lstatSync(join(user(), 'node_modules', file));
      return sum + (stats.isFile() ? stats.size : 0);
    }, 0);
    console.log(`a plain install takes ${(bytes / 1e6).toFixed(1)} MB in ${files.length} files`);
    expect(bytes).toBeGreaterThan(1e6);
    expect(bytes).toBeLessThan(60e6);
    expect(files.filter((file) => file.endsWith('.node') || file.endsWith('.map'))).toEqual([]);
  });

  it('carries what ships beside the code', async () => {
    const { stdout } = await execa('npx', ['--no-install', 'evicpress', 'profile', '--list'], {
      cwd: user(),
    });
    expect(stdout).toContain('h100-host');
    await execa('npx', ['--no-install', 'evicpress', ...PLAN], { cwd: user() });
    await execa('npx', ['--no-install', 'evicpress', 'report', '-q'], { cwd: user() });
    const page = readFileSync(join(user(), '.evicpress/report.html'), 'utf8');
    expect(page).toContain('llama-3.1-8b');
    const packed = join(user(), 'node_modules/evicpress');
    expect(existsSync(join(packed, 'python/evicpress/profiling/__main__.py'))).toBe(true);
    expect(readFileSync(join(packed, 'dist/LICENSES.txt'), 'utf8')).toContain('commander');
  });

  it('has types a strict user compiles against', async () => {
    writeFileSync(
      join(user(), 'use.ts'),
      `import { loadModel, planContexts, readTiers, type Model, type PlanRequest } from 'evicpress';
       const model: Model = await loadModel('llama-3.1-8b');
       export const bytes: number = model.kvBytesPerToken;
       export const plan = (request: PlanRequest) => planContexts(request).then(({ header }) => header.summary.utility.toFixed(2));
       export const tiers = (await readTiers('tiers.json')).tiers.map((tier) => tier.name.length);`,
    );
    const flags = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--skipLibCheck',
      'false',
    ];
    const types = ['--typeRoots', join(ROOT, 'node_modules/@types'), '--types', 'node'];
    const { exitCode, stdout } = await execa(
      join(ROOT, 'node_modules/.bin/tsc'),
      [...flags, ...types, 'use.ts'],
      { cwd: user(), reject: false },
    );
    expect(stdout).toBe('');
    expect(exitCode).toBe(0);
  });

  it('plans in another folder', async () => {
    const { stdout } = await execa('npx', ['--no-install', 'evicpress', ...PLAN], { cwd: user() });
    expect(JSON.parse(stdout).summary.contexts).toBeGreaterThan(0);
  });

  it('is a library', async () => {
    writeFileSync(
      join(user(), 'use.js'),
      `import { loadModel, solvers } from 'evicpress';
       console.log((await loadModel('llama-3.1-8b')).kvBytesPerToken, solvers.map((s) => s.name).join());`,
    );
    const { stdout } = await execa(process.execPath, ['use.js'], { cwd: user() });
    expect(stdout).toBe('131072 dual,exact,greedy,greedy-per-byte');
  });

  it.each(OTHER_NODES)('starts and plans the same on %s', async (node) => {
    const other = join(folder, node);
    cpSync(join(user(), 'package.json'), join(other, 'package.json'));
    await execa('npm', ['install', node, '--no-audit', '--no-fund', '--loglevel=error'], { cwd: other });
    const program = join(other, 'node_modules', 'node', 'bin', 'node');
    const { stdout: version } = await execa(program, ['--version']);
    expect(version.split('.')[0]).toBe(`v${node.split('@')[1]}`);
    const bin = join(user(), 'node_modules/evicpress/bin/evicpress.js');
    expect((await execa(program, [bin, '--help'], { cwd: user() })).stdout).toContain('Examples:');
    const runs = [process.execPath, program].map((exe) => execa(exe, [bin, ...PLAN], { cwd: user() }));
    const [here, there] = (await Promise.all(runs)).map(({ stdout }) => JSON.parse(stdout).summary.utility);
    expect(there).toBe(here);
  });
});
