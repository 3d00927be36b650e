import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { BIN, sandbox, writeSamples } from '../support/cli.js';

const box = sandbox();
/** Terminals are made by script of util-linux. */
const noTerminal = !String(spawnSync('script', ['--version']).stdout).includes('util-linux');

const header = {
  format: 'evicpress.plan',
  version: 1,
  generation: 1,
  model: 'small',
  periodSeconds: null,
  objective: { alpha: 1 },
  tiers: [
    { name: 'dram', capacityBytes: 1e9, usedBytes: 0, price: 0 },
    { name: 'ssd', capacityBytes: null, usedBytes: 0, price: 0 },
  ],
  summary: {
    contexts: 0,
    utility: 0,
    bound: 0,
    relaxationBound: 0,
    gap: 0,
    gapOfSpan: 0,
    meanTtftSeconds: 0,
    meanQuality: 1,
    solver: 'dual',
  },
  rules: {},
  inputs: [],
};

type Place = readonly [tier: string, bytes: number, method?: string, ratio?: number];

function plan(places: Readonly<Record<string, Place>>, model = header.model): string {
  const rows = Object.entries(places).map(([context, [tier, storedBytes, method, ratio]]) => ({
    context,
    tier,
    method: method ?? 'none',
    compressionRatio: ratio ?? 0,
    storedBytes,
    quality: 1,
    ttftSeconds: 0.1,
    accesses: 1,
  }));
  const body = [{ ...header, model }, ...rows].map((row) => `${JSON.stringify(row)}\n`).join('');
  const sha256 = createHash('sha256').update(body).digest('hex');
  return `${body}${JSON.stringify({ end: true, rows: rows.length, sha256 })}\n`;
}

describe('evicpress diff', () => {
  it('names what is added, moved, recompressed and dropped, and the bytes per pair of tiers', async () => {
    box.write(
      'old.ndjson',
      plan({
        same: ['dram', 10],
        moved: ['dram', 200],
        packed: ['ssd', 400],
        whole: ['ssd', 50, 'int4', 0.75],
        gone: ['dram', 30],
        never: ['recompute', 0],
      }),
    );
    box.write(
      'new.ndjson',
      plan({
        same: ['dram', 10],
        moved: ['ssd', 200],
        packed: ['dram', 100, 'int4', 0.75],
        whole: ['ssd', 200],
        gone: ['recompute', 0],
        fresh: ['dram', 60],
      }),
    );
    const { exitCode, stdout } = await box.evicpress('diff', 'old.ndjson', 'new.ndjson');
    expect(exitCode).toBe(0);
    expect(stdout).toMatchSnapshot();
    const json = await box.evicpress('diff', 'old.ndjson', 'new.ndjson', '--json', '--detailed-exitcode');
    expect(json.exitCode).toBe(10);
    expect(JSON.parse(json.stdout)).toMatchObject({
      changed: 5,
      kept: 1,
      pairs: [
        { from: 'dram', to: 'ssd', contexts: 1, bytes: 200 },
        { from: 'ssd', to: 'dram', contexts: 1, bytes: 100 },
      ],
    });
  });

  it('shows the largest changes of many, and all of them on demand', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `c${i}`);
    box.write('old.ndjson', plan(Object.fromEntries(names.map((name) => [name, ['recompute', 0] as const]))));
    box.write(
      'new.ndjson',
      plan(Object.fromEntries(names.map((name, i) => [name, ['dram', 1 + ((i * 7919) % 300)] as const]))),
    );
    const few = JSON.parse((await box.evicpress('diff', 'old.ndjson', 'new.ndjson', '--json')).stdout);
    expect(few.changed).toBe(300);
    expect(few.largest.map((change: { bytes: number }) => change.bytes)).toEqual(
      Array.from({ length: 20 }, (_, i) => 300 - i),
    );
    const all = await box.evicpress('diff', 'old.ndjson', 'new.ndjson', '--all');
    expect(all.stdout.split('\n').filter((line) => line.startsWith('+ c'))).toHaveLength(300);
  });

  it('says that equal plans are equal, and exits with 0', async () => {
    box.write('a.ndjson', plan({ a: ['dram', 1] }));
    const { exitCode, stdout } = await box.evicpress('diff', 'a.ndjson', 'a.ndjson', '--detailed-exitcode');
    expect(stdout).toBe('The plans place the one context alike.');
    expect(exitCode).toBe(0);
  });
});

describe('evicpress diff, of what is easily overlooked', () => {
  it('counts what is stored in another size', async () => {
    box.write('old.ndjson', plan({ a: ['dram', 10], b: ['dram', 10] }));
    box.write('new.ndjson', plan({ a: ['dram', 30], b: ['dram', 10] }));
    const { exitCode, stdout } = await box.evicpress(
      'diff',
      'old.ndjson',
      'new.ndjson',
      '--detailed-exitcode',
    );
    expect(stdout).toContain('~ a  dram → dram  30 B');
    expect(stdout).toContain('The new plan changes 1 (30 B); 1 context stays as it is.');
    expect(exitCode).toBe(10);
  });

  it('takes another model for a difference', async () => {
    box.write('old.ndjson', plan({ a: ['dram', 10] }));
    box.write('new.ndjson', plan({ a: ['dram', 10] }, 'large'));
    const { exitCode } = await box.evicpress('diff', 'old.ndjson', 'new.ndjson', '--detailed-exitcode');
    expect(exitCode).toBe(10);
  });

  it('shows no character that steers the terminal', async () => {
    box.write('old.ndjson', plan({}));
    box.write('new.ndjson', plan({ 'a\u202eb': ['dram', 10, 'x\u202ey\u001b[2J', 0.5] }));
    const { stdout } = await box.evicpress('diff', 'old.ndjson', 'new.ndjson');
    expect(stdout).toContain('a\\u202eb');
    expect(stdout).toContain('x\\u202ey\\x1b[2J@0.5');
    expect(stdout).not.toMatch(/[\u202e\u001b]/);
  });
});

describe('a plan that is cut off', () => {
  it.each(['diff', 'check', 'apply'])('is told to be so by %s', async (verb) => {
    box.write('cut.ndjson', plan({ a: ['dram', 10], b: ['ssd', 5] }).slice(0, -150));
    const args = verb === 'diff' ? ['cut.ndjson', 'cut.ndjson'] : ['cut.ndjson'];
    const { exitCode, stdout, stderr } = await box.evicpress(verb, ...args);
    expect(`${stdout}${stderr}`).toContain('cut.ndjson:3: the file is cut off in the middle of this line.');
    expect(exitCode).toBe(1);
  });
});

describe('evicpress apply', () => {
  it('is carried out where nobody reads what it shows', async () => {
    box.write('a.ndjson', plan({ a: ['dram', 10] }));
    const command = `"${process.execPath}" "${BIN}" apply a.ndjson --yes | (exec 0<&-; sleep 3)`;
    await execa('bash', ['-c', command], { cwd: box.folder, reject: false });
    expect((await box.evicpress('history')).stdout).toContain('1 in force');
  });

  it.skipIf(noTerminal).each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
    ['n', 'n\r'],
  ])('is not carried out where its question is answered by %s', async (_, keys) => {
    box.write('a.ndjson', plan({ a: ['dram', 10] }));
    const command = `'${process.execPath}' '${BIN}' apply a.ndjson`;
    const asked = execa('script', ['-qec', command, '/dev/null'], { cwd: box.folder, reject: false });
    asked.stdout.on('data', (text: Buffer) => {
      if (text.includes('[y/N]')) asked.stdin.write(keys);
    });
    const { exitCode, stdout } = await asked;
    expect(stdout).toMatch(/Interrupted\. Nothing was changed\.$/);
    expect(exitCode).toBe(130);
    expect(existsSync(box.path('.evicpress/state'))).toBe(false);
  });

  const warnings = async (name: string) =>
    (await box.evicpress('apply', name, '--yes')).stderr.replace(/\s+/g, ' ');

  it('says where the plan is of another model than the one in force, or than evicpress.yaml names', async () => {
    box.write('small.ndjson', plan({ a: ['dram', 10] }));
    box.write('large.ndjson', plan({ a: ['dram', 10] }, 'large'));
    expect(await warnings('small.ndjson')).toBe('');
    expect(await warnings('large.ndjson')).toContain('for different models, small and large');
    expect(await warnings('large.ndjson')).toBe('');
    box.write('model.json', { name: 'small', kvBytesPerToken: 1, prefill: { secondsPerToken: 1 } });
    box.write('evicpress.yaml', 'model: ./model.json\n');
    expect(await warnings('large.ndjson')).toContain(
      'The plan is for model large, evicpress.yaml names small',
    );
  });
});

describe('evicpress plan', () => {
  it('says how it differs from the plan in force, which --detailed-exitcode is about', async () => {
    const flags = writeSamples(box);
    const args = ['plan', ...flags, '--contexts', 'contexts.ndjson', '--detailed-exitcode'];
    expect((await box.evicpress(...args)).exitCode).toBe(10);
    await box.evicpress('apply', '--yes');
    const same = await box.evicpress(...args);
    expect(same.exitCode).toBe(0);
    expect(same.stdout).toContain('Beside the plan in force (generation 1): nothing moves.');
    const other = await box.evicpress(...args, '--capacity', 'dram=0', '--capacity', 'ssd=0', '--json');
    expect(other.exitCode).toBe(10);
    expect(JSON.parse(other.stdout).difference.changes[0].change).toBe('drop');
  });

  it('says that caches of another model are of no use', async () => {
    box.write('old.ndjson', plan({ a: ['dram', 10] }));
    box.write('new.ndjson', plan({ a: ['dram', 10] }, 'large'));
    const { exitCode, stderr } = await box.evicpress('diff', 'old.ndjson', 'new.ndjson');
    expect(exitCode).toBe(0);
    expect(stderr.replace(/\s+/g, ' ')).toContain(
      'for different models, small and large: no cache of the one',
    );
    const alike = await box.evicpress('diff', 'old.ndjson', 'old.ndjson');
    expect(alike.stderr).toBe('');
  });
});
