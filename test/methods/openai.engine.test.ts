import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa, type ResultPromise } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PYTHON as ENGINES_PYTHON, GGUF } from '../engines/stack.js';
import { BIN } from '../support/cli.js';

const SERVE = fileURLToPath(new URL('./fixtures/serve-llama.py', import.meta.url));
const MODEL = process.env.EVICPRESS_GGUF ?? GGUF;
const PYTHON = process.env.EVICPRESS_LLAMA_PYTHON ?? ENGINES_PYTHON;
const { exitCode } = await execa(PYTHON, ['-c', 'import xllamacpp'], { reject: false });
const can = MODEL !== undefined && exitCode === 0;
if (!can)
  console.warn(
    'skipped: no small chat model and no Python with xllamacpp; run test/engines/setup.sh, or name them in $EVICPRESS_GGUF and $EVICPRESS_LLAMA_PYTHON',
  );

describe.skipIf(!can)('the openai runner with llama.cpp’s server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evicpress-openai-'));
  let servers: ResultPromise<{ stdin: 'pipe'; buffer: false; reject: false }>;
  let addresses: readonly string[];

  beforeAll(async () => {
    servers = execa(PYTHON, [SERVE, MODEL!], { stdin: 'pipe', buffer: false, reject: false });
    for await (const line of createInterface({ input: servers.stdout })) {
      if (!line.startsWith('["http')) continue;
      addresses = JSON.parse(line);
      break;
    }
  });
  afterAll(async () => {
    servers.stdin.end();
    servers.kill();
    await servers;
    rmSync(folder, { recursive: true, force: true });
  });

  it('profiles a cache setting on queries from a request log: real sizes, similarities and times', async () => {
    const text =
      'The ferry to the island leaves at nine and at three. Dogs travel free, bicycles cost two euros.';
    const ask = (query: string) => ({ messages: [{ role: 'user', content: `${text}\n\n${query}` }] });
    const lines = (name: string, rows: readonly object[]) =>
      writeFileSync(join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    lines('contexts.ndjson', [{ context: 'ferry', text }]);
    lines('log.ndjson', [ask('When does the ferry leave?'), ask('What does a bicycle cost?')]);
    const run = await execa(
      process.execPath,
      [
        ...[BIN, 'profile', 'methods', '--runner', 'openai', '--model', 'smollm2-135m'],
        ...['--url', addresses[0]!, '--against', `q4_0@0.72=${addresses[1]}`, '--answer-tokens', '8'],
        ...['--contexts', 'contexts.ndjson', '--query-log', 'log.ndjson', '-o', 'methods.ndjson'],
      ],
      { cwd: folder, reject: false, env: { NO_COLOR: '1' } },
    );
    expect([run.exitCode, run.stderr]).toMatchObject([0, expect.anything()]);
    const [, row] = readFileSync(join(folder, 'methods.ndjson'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(row).toMatchObject({ context: 'ferry', method: 'q4_0', queries: 2, metric: 'answer-similarity' });
    expect(row.tokens).toBeGreaterThan(20);
    expect(row.storedBytes).toBe(Math.ceil(row.fullBytes * (1 - 0.72)));
    expect(row.quality).toBeGreaterThan(0);
    expect(row.quality).toBeLessThanOrEqual(1);
    expect(row.ttftSeconds).toBeGreaterThan(0);
    expect(row.fullTtftSeconds).toBeGreaterThan(0);
  });
});
