import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { BIN, sandbox } from '../support/cli.js';
import { OFFICE, requestLines } from '../workflows/workload.js';

const box = sandbox();

it('refreshes, shows drift and history, by evicpress.yaml alone', async () => {
  writeFileSync(box.path('log.jsonl'), requestLines(OFFICE, 300));
  box.write(
    'evicpress.yaml',
    'trace: log.jsonl\ntiers: h100-host\nmodel: llama-3.1-8b\nmethods: none\ncapacity:\n  dram: 2GB\nrefresh:\n  halfLife: 10m\n',
  );
  const dry = await box.evicpress('refresh', '--dry-run');
  expect(dry).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('dry run: nothing was written') });
  expect(dry.stdout).toContain('generation 1 would be in force');
  const first = await box.evicpress('refresh', '--json', '--log-format', 'json');
  expect(first.exitCode).toBe(0);
  expect(JSON.parse(first.stdout)).toMatchObject({ outcome: 'published', generation: 1, newRequests: 300 });
  const events = first.stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  expect(events.at(-1)).toMatchObject({ level: 'info', outcome: 'published' });
  expect((await box.evicpress('refresh')).stdout).toContain('idle: 0 new requests, generation 1 in force');
  const drift = await box.evicpress('drift', '--json', '--exit-code');
  expect(drift.exitCode).toBe(0);
  const checks = JSON.parse(drift.stdout).findings.map(({ check }: { check: string }) => check);
  expect([...new Set(checks)]).toEqual(['identity', 'profiles']);
  expect((await box.evicpress('history')).stdout).toContain('1 in force');
  const changed = await box.evicpress('drift', '--model', 'llama-3.1-70b', '--exit-code');
  expect(changed).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('Drift: identity of model') });
});

it.each([
  [['--threshold', 'slowdwn=2'], 'Did you mean slowdown?'],
  [['--half-life', '0s'], '--half-life'],
  [['--min-gain', 'much'], '--min-gain'],
  [['--alpha', '2', '--mean-quality', '0.9'], '--alpha and a target for the mean are both given'],
  [['--trace', 'gone.jsonl'], 'gone.jsonl: no such file'],
  [['--log-format', 'xml'], 'Pick one of: text, json'],
])('says what is wrong with %j', async (flags, message) => {
  const outcome = await box.evicpress(
    'refresh',
    '--trace',
    'log.jsonl',
    '--tiers',
    'h100-host',
    '--model',
    'llama-3.1-8b',
    ...flags,
  );
  expect(outcome.exitCode).toBe(1);
  expect(outcome.stderr).toContain(message);
});

it.each([
  ['refresh', '--print-cron'],
  ['refresh', '--print-dashboard'],
  ['completion', 'bash'],
])('%s %s prints one object with --json', async (...args) => {
  const { exitCode, stdout } = await box.evicpress(...args, '--json');
  expect(exitCode).toBe(0);
  expect(typeof JSON.parse(stdout)).toBe('object');
});

it.each(['--print-cron', '--print-systemd', '--print-k8s', '--print-alerts', '--print-dashboard'])(
  '%s needs neither log nor profile',
  async (flag) => {
    const outcome = await box.evicpress('refresh', flag);
    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
    expect(outcome.stdout.length).toBeGreaterThan(100);
  },
);

it('finishes its turn although nobody reads what it says', async () => {
  for (const name of ['old.jsonl', 'new.jsonl']) writeFileSync(box.path(name), requestLines(OFFICE, 100));
  box.write('evicpress.yaml', 'tiers: h100-host\nmodel: llama-3.1-8b\nmethods: none\n');
  await box.evicpress('refresh', '--trace', 'old.jsonl');
  // That the log is another one is told before it is read.
  const turn = `'${process.execPath}' '${BIN}' refresh --trace new.jsonl`;
  await execa('sh', ['-c', `{ ${turn}; echo $? > code; } | true`], { cwd: box.folder });
  expect(readFileSync(box.path('code'), 'utf8')).toBe('0\n');
  const state = JSON.parse(readFileSync(box.path('.evicpress/state/state.json'), 'utf8'));
  expect(state.log.path).toBe('new.jsonl');
});

it.each(['SIGINT', 'SIGTERM'] as const)(
  'ends by %s with code 130, and gives the lock back',
  async (signal) => {
    writeFileSync(box.path('log.jsonl'), requestLines(OFFICE, 100));
    box.write('evicpress.yaml', 'trace: log.jsonl\ntiers: h100-host\nmodel: llama-3.1-8b\nmethods: none\n');
    // An engine that takes the question and never answers: the turn waits, and holds the lock.
    const engine = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => engine.once('listening', resolve));
    const url = `http://127.0.0.1:${(engine.address() as AddressInfo).port}`;
    const turn = execa(process.execPath, [BIN, 'refresh', '--engine-url', url], {
      cwd: box.folder,
      reject: false,
      timeout: 50_000,
    });
    const asked = new Promise((resolve) => engine.once('connection', resolve));
    await asked;
    const state = box.path('.evicpress/state');
    expect(existsSync(`${state}/lock-owner.json`)).toBe(true);
    turn.kill(signal);
    expect((await turn).exitCode).toBe(130);
    expect(readdirSync(state).filter((name) => name.includes('lock'))).toEqual([]);
    engine.close();
    expect(await box.evicpress('refresh')).toMatchObject({ exitCode: 0 });
  },
);
