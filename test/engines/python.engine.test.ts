import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { engines } from '../../src/engines/index.js';
import type { Plan } from '../../src/formats/plan.js';
import type { Tier } from '../../src/formats/tiers.js';
import { PACKAGE_ROOT } from '../../src/package-root.js';
import { handPlan, rowAt } from './plans.js';
import { ENVIRONMENT, PYTHON, PYTHON_FOLDER, whyNot } from './stack.js';

const read = { latencySeconds: 0, bytesPerSecond: 1e9 };
const TIERS: readonly Tier[] = [
  { name: 'dram', kind: 'dram', capacityBytes: 80e9, read },
  { name: 'nvme', kind: 'file', location: '/mnt/nvme', capacityBytes: 800e9, read },
];
const SETTING = { tiers: TIERS, planPath: '/srv/plan.ndjson', ranks: 2, modelPath: 'meta/model' };
const MIXED = handPlan(1, [
  rowAt('a', 'dram', 'none', 40e9),
  rowAt('b', 'dram', 'int8', 16e9),
  rowAt('c', 'nvme', 'int4', 1e9),
]);

const reason = whyNot();
if (reason !== undefined) console.warn(`skipped: ${reason}`);

function python(args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(PYTHON, args, {
    env: ENVIRONMENT,
    cwd: PYTHON_FOLDER,
    encoding: 'utf8',
    timeout: 600_000,
    maxBuffer: 64 * 2 ** 20,
  });
  if (status !== 0)
    throw new Error(`${args.join(' ')}: ${status}\n${stdout.slice(-6000)}\n${stderr.slice(-3000)}`);
  return stdout;
}

/** The words of the command a script ends with, as a shell would hand them over. */
function wordsOf(name: string, file: string, plan: Plan): string[] {
  const text = engines
    .find((engine) => engine.name === name)!
    .files(plan, SETTING)
    .find((f) => f.path === file)!.text;
  const command = text.slice(text.lastIndexOf('exec ') + 'exec '.length);
  const { stdout } = spawnSync('sh', ['-c', `set --\nprintf '%s\\n' ${command}`], { encoding: 'utf8' });
  return stdout
    .trimEnd()
    .split('\n')
    .filter((word) => word !== '');
}

function understood(name: string, words: readonly string[]): Record<string, unknown> {
  const script = fileURLToPath(new URL('./parse_exports.py', import.meta.url));
  return JSON.parse(
    python([script, name, ...words])
      .trim()
      .split('\n')
      .at(-1)!,
  ) as Record<string, unknown>;
}

describe.skipIf(reason !== undefined)('the Python package', () => {
  it("passes its own tests, LMCache's real storage manager among them", () => {
    const out = python([
      '-m',
      'pytest',
      '-q',
      '-W',
      'ignore',
      ...[
        'plan_file',
        'quantize',
        'routes',
        'follow_plan',
        'large_plan',
        'room',
        'restart',
        'two_servers',
        'one_store',
      ].map((subject) => `tests/test_${subject}.py`),
    ]);
    expect(out).toMatch(/\d+ passed/);
    expect(out).not.toContain('skipped');
  });
});

describe.skipIf(reason !== undefined)("exports are understood by the engine's own parser", () => {
  it('lmcache', () => {
    const words = wordsOf('lmcache', 'lmcache-server.sh', MIXED);
    expect(words.slice(0, 3)).toEqual(['python', '-m', 'evicpress.lmcache']);
    const result = understood('lmcache', words.slice(3));
    expect(result).toMatchObject({
      plan: '/srv/plan.ndjson',
      model: 'm',
      chunkSize: 256,
      stores: 'evicpress',
      adapters: 5,
    });
    // 80 GB less 16 GB compressed, rounded down to thousandths of a GiB.
    expect(result.l1Bytes).toBeLessThanOrEqual(64e9);
    expect(result.l1Bytes).toBeGreaterThan(64e9 - 2 ** 30 / 500);
    expect(result.routes).toEqual([
      ['dram', 'int8'],
      ['dram', 'int4'],
      ['nvme', 'none'],
      ['nvme', 'int8'],
      ['nvme', 'int4'],
    ]);
  });

  it('as deploy/compose.yaml writes them', () => {
    const { services } = parse(readFileSync(join(PACKAGE_ROOT, 'deploy/compose.yaml'), 'utf8')) as {
      services: Record<'lmcache' | 'vllm', { command: string[] }>;
    };
    const [server, engine] = [services.lmcache.command, services.vllm.command].map((words) =>
      words.map((word) => word.replaceAll(/\$\{\w+:-(.*?)\}/g, '$1')),
    );
    expect(server!.shift()).toBe('evicpress-lmcache');
    expect(understood('lmcache', server!)).toMatchObject({
      plan: '/srv/evicpress/.evicpress/state/in-force.ndjson',
      stores: 'evicpress',
      l1Bytes: 64 * 2 ** 30,
      routes: [
        ['ssd', 'none'],
        ['ssd', 'int8'],
      ],
    });
    expect(understood('vllm', engine!.slice(2))).toMatchObject({ connector: 'LMCacheMPConnector' });
  });

  it('vllm', () => {
    const serve = (plan: Plan) => understood('vllm', wordsOf('vllm', 'vllm.sh', plan).slice(2));
    expect(serve(handPlan(1, [rowAt('a', 'dram', 'fp8', 40e9)]))).toEqual({
      offloadingGiB: 74.505,
      cacheDtype: 'fp8',
      ranks: 2,
      connector: null,
    });
    expect(serve(MIXED)).toMatchObject({ cacheDtype: 'auto', connector: 'OffloadingConnector' });
    expect(understood('vllm', wordsOf('lmcache', 'vllm.sh', MIXED).slice(2))).toMatchObject({
      connector: 'LMCacheMPConnector',
      ranks: 2,
    });
  });

  it('llama.cpp', () => {
    const serve = (plan: Plan) =>
      understood('llamacpp', wordsOf('llamacpp', 'llama-server.sh', plan).slice(1));
    expect(serve(handPlan(1, [rowAt('a', 'dram', 'int8', 40e9), rowAt('b', 'nvme', 'int8', 1e9)]))).toEqual({
      unknown: [],
      cacheMiB: Math.floor(80e9 / 2 ** 20),
      slots: '/mnt/nvme',
      types: ['GGML_TYPE_Q8_0', 'GGML_TYPE_Q8_0'],
      flashAttention: 'on',
    });
    expect(serve(MIXED)).toMatchObject({ unknown: [], types: ['GGML_TYPE_F16', 'GGML_TYPE_F16'] });
  });
});
