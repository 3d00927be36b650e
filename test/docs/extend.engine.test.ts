import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGE_ROOT } from '../../src/package-root.js';

/** The worked examples of docs/howto-extend.md, by the file they go to, put into a copy of the sources. */
const page = readFileSync(join(PACKAGE_ROOT, 'docs/howto-extend.md'), 'utf8');
const examples = [...page.matchAll(/```ts (\S+)\n([\s\S]*?)```/g)].map(([, path, text]) => ({
  path: path!,
  text: text!,
}));

let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'evicpress-extend-'));
  cpSync(join(PACKAGE_ROOT, 'src'), join(copy, 'src'), { recursive: true });
  mkdirSync(join(copy, 'test/methods'), { recursive: true });
  cpSync(join(PACKAGE_ROOT, 'test/methods/compressions'), join(copy, 'test/methods/compressions'), {
    recursive: true,
  });
  for (const name of ['package.json', 'tsconfig.json']) cpSync(join(PACKAGE_ROOT, name), join(copy, name));
  for (const name of ['node_modules', 'profiles']) symlinkSync(join(PACKAGE_ROOT, name), join(copy, name));
  for (const { path, text } of examples) {
    writeFileSync(join(copy, path), text);
    addToList(path);
  }
  writeFileSync(join(copy, 'main.ts'), "import { main } from './src/cli.js';\nawait main(process.argv);\n");
  const log = readFileSync(join(PACKAGE_ROOT, 'profiles/traces/mooncake-conversation-1500.jsonl.gz'));
  const lines = gunzipSync(log).toString('utf8').split('\n').slice(0, 200);
  writeFileSync(join(copy, 'requests.jsonl'), lines.join('\n'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** One import and one line in the list of the folder's index.ts. */
function addToList(path: string): void {
  const name = path.split('/').at(-1)!.replace('.ts', '');
  const index = join(copy, path, '..', 'index.ts');
  const text = readFileSync(index, 'utf8');
  const listed = text.replace(/(export const \w+: readonly \w+\[\] = \[)/, `$1\n  ${name},`);
  expect(listed).not.toBe(text);
  writeFileSync(index, `import { ${name} } from './${name}.js';\n${listed}`);
}

async function evicpress(...words: string[]) {
  const tsx = join(PACKAGE_ROOT, 'node_modules/.bin/tsx');
  const { stdout } = await execa(tsx, ['main.ts', ...words], { cwd: copy, env: { NO_COLOR: '1' } });
  return stdout;
}

const ROOM = ['dram=20GB', 'ssd=0', 'remote=0'].flatMap((size) => ['--capacity', size]);
const INPUTS = ['--tiers', 'h100-host', '--model', 'llama-3.1-8b', ...ROOM];

describe('the worked examples of howto-extend.md', () => {
  it('are one of each', () => {
    expect(examples.map(({ path }) => path.split('/').slice(0, -1).join('/'))).toEqual([
      'src/methods/compressions',
      'src/replay/policies',
      'src/engines',
      'src/traces',
    ]);
  });

  it('a policy is compared with the others, compressed too', async () => {
    const methods = ['--methods', 'smollm2-135m/samples', '--allow-model-mismatch'];
    const out = await evicpress(
      'replay',
      'requests.jsonl',
      ...INPUTS,
      ...methods,
      '--policies',
      'lru,fifo,fifo+snapkv@0.5',
      '--json',
    );
    const { policies } = JSON.parse(out) as {
      policies: { policy: string; prefixHitRate: number; meanQuality: number }[];
    };
    expect(policies.map(({ policy }) => policy)).toEqual(['lru', 'fifo', 'fifo+snapkv@0.5']);
    const [lru, fifo, compressed] = policies;
    expect(fifo!.prefixHitRate).toBeGreaterThan(0);
    expect(fifo!.prefixHitRate).not.toBe(lru!.prefixHitRate);
    expect(compressed!.prefixHitRate).toBeGreaterThan(fifo!.prefixHitRate);
    expect(compressed!.meanQuality).toBeLessThan(1);
  }, 60_000);

  it('an engine is planned for and gets its file', async () => {
    await evicpress('plan', '-q', '--trace', 'requests.jsonl', ...INPUTS, '--engine', 'inhouse');
    const out = await evicpress('export', '--engine', 'inhouse', '--tiers', 'h100-host');
    expect(out).toContain('restart the server after a new plan');
    const kept = JSON.parse(
      readFileSync(join(copy, '.evicpress/export/inhouse/keep.json'), 'utf8'),
    ) as object[];
    expect(kept.length).toBeGreaterThan(0);
    expect(kept[0]).toEqual({ context: expect.any(String), tier: expect.any(String), method: 'none' });
  }, 60_000);

  it('a log format is recognised, read and complained about', async () => {
    const lines = ['0\ta,b,c\t192\t9', '1.5\ta,b,d\t190\t4', '2\ta,b,c\t192\t3', '3\t\t40\t3'];
    writeFileSync(join(copy, 'proxy.log'), `${lines.join('\n')}\n`);
    const out = await evicpress(
      'replay',
      'proxy.log',
      ...INPUTS,
      '--policies',
      'lru',
      '--warm',
      '0',
      '--json',
    );
    const { requests, policies } = JSON.parse(out) as {
      requests: number;
      policies: { prefixHitRate: number }[];
    };
    expect(requests).toBe(4);
    expect(policies[0]!.prefixHitRate).toBeCloseTo((2 * 64 + 3 * 64) / (192 + 190 + 192 + 40), 9);
    writeFileSync(join(copy, 'broken.log'), `${lines[0]}\n1\ta;b\t5\t5\n`);
    await expect(evicpress('replay', 'broken.log', ...INPUTS)).rejects.toThrow(
      /broken\.log:2: expected seconds, hashes/,
    );
  }, 60_000);

  it('a method stores what its ratio says, also combined', async () => {
    writeFileSync(
      join(copy, 'compress.ts'),
      `import { fullBytes } from './src/methods/compressions/cache.js';
       import { findCompression } from './src/methods/compressions/index.js';
       import { syntheticCache } from './test/methods/compressions/synthetic.js';
       const cache = syntheticCache({ tokens: 100 });
       const stored = (name: string, ratio: number) => findCompression(name).compress(cache, ratio).storedBytes / fullBytes(cache);
       const kept = findCompression('vnorm').compress(cache, 0.75).decompress().layers[0]!.values;
       const tokens = new Set(Array.from(kept, Math.floor));
       console.log(JSON.stringify([stored('vnorm', 0.75), stored('vnorm+int4', 0.9), Math.min(...tokens)]));`,
    );
    const { stdout } = await execa(join(PACKAGE_ROOT, 'node_modules/.bin/tsx'), ['compress.ts'], {
      cwd: copy,
    });
    const [whole, combined, least] = JSON.parse(stdout) as [number, number, number];
    expect(whole).toBe(0.25);
    expect(combined).toBeLessThan(whole);
    // In this cache a value grows with its position: the last quarter of the tokens has the longest.
    expect(least).toBe(75);
  }, 60_000);
});
