import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installedPython } from '../../src/methods/python-environment.js';
import { BIN } from '../support/cli.js';

const MAKE_MODEL = fileURLToPath(new URL('../../python/tests/small_model.py', import.meta.url));
const PYTHON = process.env.EVICPRESS_KVPRESS_PYTHON ?? installedPython() ?? 'python3';
/** Enough that a run is still going on when it is killed. */
const CONTEXTS = 24;
const { exitCode } = await execa(PYTHON, ['-c', 'import kvpress, ray'], { reject: false });

/** Needs a Python with kvpress and Ray: evicpress doctor --install kvpress, or $EVICPRESS_KVPRESS_PYTHON. */
describe.skipIf(exitCode !== 0)('the kvpress runner with a real worker', () => {
  let folder: string;
  let whole: string[];
  const file = (name: string) => join(folder, name);
  const words = (count: number, from: number) =>
    Array.from({ length: count }, (_, i) => `w${(from + i * i + 3 * i) % 200}`).join(' ');
  const start = (output: string, ...more: string[]) => {
    const grid = ['--methods', 'knorm,streaming-llm,keydiff+int4', '--ratios', '0.3,0.5,0.9'];
    const model = ['--runner', 'kvpress', '--python', PYTHON, '--model', file('model')];
    const usual = more.includes('--contexts') ? [] : ['--contexts', file('contexts.ndjson')];
    const length = [...usual, '--answer-tokens', '6'];
    const cheap = ['--metric', 'token-agreement', '-o', file(output)];
    return execa(
      process.execPath,
      [BIN, 'profile', 'methods', ...model, ...grid, ...length, ...cheap, ...more],
      { cwd: folder, reject: false, env: { NO_COLOR: '1', HF_HUB_OFFLINE: '1' } },
    );
  };
  /** Lines of a file without what differs from run to run. */
  const lines = (name: string) =>
    readFileSync(file(name), 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) =>
        JSON.stringify(JSON.parse(line), (key, value) => (key.endsWith('Seconds') ? undefined : value)),
      );
  const configurations = (journal: string) =>
    lines(journal).map((line) => {
      const { context, method, compressionRatio } = JSON.parse(line);
      return `${context} ${method}@${compressionRatio}`;
    });
  const until = async (condition: () => boolean) => {
    for (let i = 0; i < 3000 && !condition(); i++) await new Promise((next) => setTimeout(next, 100));
  };
  const measured = (journal: string) => () => {
    try {
      return configurations(journal).length > 0;
    } catch {
      return false;
    }
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'evicpress-kvpress-'));
    await execa(PYTHON, [MAKE_MODEL, file('model')]);
    const contexts = Array.from({ length: CONTEXTS }, (_, i) => ({
      context: `c${i}`,
      class: i % 2 ? 'odd' : 'even',
      text: words(150 + 10 * i, i),
      queries: ['w1 w2', 'w7 w9 w11'],
    }));
    writeFileSync(
      file('contexts.ndjson'),
      contexts.map((context) => `${JSON.stringify(context)}\n`).join(''),
    );
    const { exitCode, stderr } = await start('whole.ndjson');
    expect([exitCode, stderr]).toMatchObject([0, expect.anything()]);
    whole = lines('whole.ndjson');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('measures every configuration of every context, each once', () => {
    // Two droppers at three ratios, the combination only above what int4 removes by itself.
    expect(new Set(configurations('whole.journal.ndjson')).size).toBe(CONTEXTS * 7);
    expect(configurations('whole.journal.ndjson')).toHaveLength(CONTEXTS * 7);
    expect(whole.filter((line) => !line.includes('"*"'))).toHaveLength(CONTEXTS * 7);
  });

  it('goes on after kill -9 with nothing measured twice', async () => {
    const killed = start('killed.ndjson');
    await until(measured('killed.journal.ndjson'));
    killed.kill('SIGKILL');
    await killed;
    const before = configurations('killed.journal.ndjson').length;
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(CONTEXTS * 7);
    const { exitCode } = await start('killed.ndjson', '--resume');
    expect(exitCode).toBe(0);
    expect(configurations('killed.journal.ndjson')).toHaveLength(CONTEXTS * 7);
    expect(lines('killed.ndjson')).toEqual(whole);
  });

  it('lets one run only write a journal', async () => {
    const first = start('shared.ndjson');
    await until(measured('shared.journal.ndjson'));
    const second = await start('shared.ndjson');
    expect(second.exitCode).toBe(4);
    expect(second.stderr).toContain('shared.journal.ndjson');
    expect((await first).exitCode).toBe(0);
  });

  it('gives the same rows on a Ray cluster of two workers, one of which is killed', async () => {
    const run = start('ray.ndjson', '--ray', 'local', '--workers', '2');
    await until(measured('ray.journal.ndjson'));
    const workers = await rayWorkers(run.pid!);
    expect(workers).toHaveLength(2);
    process.kill(workers[0]!, 'SIGKILL');
    const { exitCode, stderr } = await run;
    expect([exitCode, stderr]).toMatchObject([0, expect.anything()]);
    expect(lines('ray.ndjson')).toEqual(whole);
  });

  it('resumes when the driver of a Ray cluster was killed', async () => {
    const run = start('driver.ndjson', '--ray', 'local', '--workers', '2');
    await until(measured('driver.journal.ndjson'));
    run.kill('SIGKILL');
    await run;
    const { exitCode } = await start('driver.ndjson', '--resume', '--ray', 'local', '--workers', '2');
    expect(exitCode).toBe(0);
    expect(lines('driver.ndjson')).toEqual(whole);
    expect(configurations('driver.journal.ndjson')).toHaveLength(CONTEXTS * 7);
  });

  it('says in one line what is wrong with a model or a context', async () => {
    await execa(PYTHON, [MAKE_MODEL, file('cacheless'), 'no-cache']);
    const context = (text: string, ...queries: string[]) => JSON.stringify({ context: 'a', text, queries });
    writeFileSync(file('binary.ndjson'), Buffer.from(`${context('\xff\xfe', 'q')}\n`, 'latin1'));
    writeFileSync(file('long.ndjson'), `${context(words(600, 0), 'w1')}\n`);
    const fault = async (...more: string[]) => (await alone(...more)).stderr.trim();
    const alone = (...more: string[]) => start('fault.ndjson', ...more);
    expect(await fault('--model', file('nowhere'))).toMatch(
      /^evicpress: Model ".*nowhere": there is no such folder\..*$/,
    );
    expect(await fault('--model', file('cacheless'))).toMatch(
      /^evicpress: Model .* keeps no KV cache of its context.*$/,
    );
    expect(await fault('--contexts', file('binary.ndjson'))).toMatch(
      /^evicpress: .*binary\.ndjson:1: the line is not UTF-8\..*$/,
    );
    expect(await fault('--queries', '0')).toMatch(/^evicpress: --queries: .*$/);
    const length = ['--contexts', file('long.ndjson'), '--long-contexts'];
    expect(await fault(...length, 'refuse')).toMatch(/^evicpress: Context "a" has .* tokens; .* fit.*$/);
    const cut = await alone(...length, 'cut');
    expect([cut.exitCode, cut.stderr]).toEqual([0, expect.stringMatching(/context a is \d+ tokens longer/)]);
  });
});

/** The Ray workers that hold a model, below a process. */
async function rayWorkers(parent: number): Promise<number[]> {
  const { stdout } = await execa('ps', ['-eo', 'pid=,ppid=,args=']);
  const processes = stdout.split('\n').map((line) => {
    const [, pid, ppid, args] = line.match(/^\s*(\d+)\s+(\d+)\s+(.*)$/) ?? [];
    return { pid: Number(pid), ppid: Number(ppid), args: args ?? '' };
  });
  const below = new Set([parent]);
  for (let grew = true; grew; ) {
    const before = below.size;
    for (const { pid, ppid } of processes) if (below.has(ppid)) below.add(pid);
    grew = below.size > before;
  }
  return processes.flatMap(({ pid, args }) =>
    below.has(pid) && args.startsWith('ray::Worker') ? [pid] : [],
  );
}
