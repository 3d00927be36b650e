import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach } from 'vitest';

/** The program as a user starts it; `npm test` builds it first. */
export const BIN = fileURLToPath(new URL('../../bin/evicpress.js', import.meta.url));

/** A folder of its own for each test, to start the program in. */
export interface Sandbox {
  readonly folder: string;
  /** Writes a file; objects become JSON, lists of objects NDJSON. */
  write(name: string, content: string | object): string;
  path(name: string): string;
  /** Runs the program. A fault of the program does not throw: it is in the result. */
  evicpress(...args: string[]): Promise<Outcome>;
  /** The same with an environment of its own. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Outcome>;
}

export interface Outcome {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Opens a sandbox for every test of the file and removes it afterwards. */
export function sandbox(): Sandbox {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'evicpress-cli-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const run: Sandbox['run'] = async (args, env = {}) => {
    const { exitCode, stdout, stderr } = await execa(process.execPath, [BIN, ...args], {
      cwd: folder,
      reject: false,
      timeout: 50_000,
      env: { NO_COLOR: '1', ...env },
    });
    return { exitCode, stdout, stderr };
  };
  return {
    get folder() {
      return folder;
    },
    path: (name) => join(folder, name),
    write(name, content) {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, textOf(content));
      return path;
    },
    evicpress: (...args) => run(args),
    run,
  };
}

function textOf(content: string | object): string {
  if (typeof content === 'string') return content;
  const rows = Array.isArray(content) ? content : [content];
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

/** Small valid files, to be planned with as they are or spoilt for a test. */
export const samples = {
  tiers: {
    format: 'evicpress.tiers',
    version: 1,
    tiers: [
      {
        name: 'dram',
        kind: 'dram',
        capacityBytes: 1e9,
        read: { latencySeconds: 0.001, bytesPerSecond: 20e9 },
        source: 'assumed',
      },
      {
        name: 'ssd',
        kind: 'file',
        capacityBytes: null,
        read: { latencySeconds: 0.002, bytesPerSecond: 2e9 },
        source: 'assumed',
      },
    ],
  },
  model: {
    name: 'small',
    kvBytesPerToken: 131_072,
    prefill: { secondsPerToken: 2e-5, secondsPerTokenSquared: 1e-9 },
    source: 'assumed',
  },
  methods: [
    { format: 'evicpress.methods', version: 1, model: 'small' },
    method({ compressionRatio: 0.5, storedBytes: 500, quality: 0.9 }),
    method({ compressionRatio: 0.9, storedBytes: 100, quality: 0.6 }),
    method({ context: 'b', method: 'int4', compressionRatio: 0.7, storedBytes: 300, quality: 0.8 }),
  ],
  contexts: [
    { context: 'a', tokens: 8000, accesses: 3 },
    { context: 'b', tokens: 6000, accesses: 5 },
    { context: 'c', tokens: 4000, accesses: 1 },
  ],
  log: [
    { timestamp: 0, input_length: 1024, output_length: 4, hash_ids: [1, 2] },
    { timestamp: 1000, input_length: 1536, output_length: 4, hash_ids: [1, 2, 3] },
    { timestamp: 2000, input_length: 1024, output_length: 4, hash_ids: [1, 2] },
    { timestamp: 3000, input_length: 1024, output_length: 4, hash_ids: [4, 5] },
    { timestamp: 4000, input_length: 1536, output_length: 4, hash_ids: [1, 2, 3] },
    { timestamp: 5000, input_length: 1024, output_length: 4, hash_ids: [4, 5] },
  ],
} as const;

/** A row of a method profile for every context. */
export function method(more: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { context: '*', fullBytes: 1000, method: 'keydiff', queries: 5, model: 'small', ...more };
}

/** Writes every sample and returns the flags that plan with them. */
export function writeSamples(box: Sandbox): string[] {
  box.write('tiers.json', samples.tiers);
  box.write('model.json', samples.model);
  box.write('methods.ndjson', samples.methods);
  box.write('contexts.ndjson', samples.contexts);
  box.write('requests.jsonl', samples.log);
  return ['--tiers', 'tiers.json', '--methods', 'methods.ndjson', '--model', './model.json'];
}
