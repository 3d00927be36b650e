import { existsSync, readFileSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { verbs } from '../../src/commands/index.js';
import { BIN, sandbox, writeSamples } from '../support/cli.js';

const box = sandbox();

describe('evicpress --help', () => {
  it('names every command and ends with examples', async () => {
    const { exitCode, stdout, stderr } = await box.evicpress('--help');
    for (const { name } of verbs) expect(stdout).toContain(`  ${name} `);
    expect(stdout).toContain('Examples:');
    expect([exitCode, stderr]).toEqual([0, '']);
  });
});

describe('output', () => {
  it('is one JSON object with --json, the same whichever way it is asked', async () => {
    const flags = writeSamples(box);
    const demand = ['--contexts', 'contexts.ndjson'];
    const after = await box.evicpress('plan', ...flags, ...demand, '--json');
    const before = await box.evicpress('--json', 'plan', ...flags, ...demand);
    const { solveSeconds: _, ...summary } = JSON.parse(after.stdout).summary;
    expect(summary).toMatchObject({ contexts: 3, solver: 'dual' });
    expect(JSON.parse(before.stdout).summary).toMatchObject(summary);
  });

  it('has no escape sequences in a pipe', async () => {
    const flags = writeSamples(box);
    const { stdout, stderr } = await box.evicpress('plan', ...flags, '--contexts', 'contexts.ndjson');
    expect(`${stdout}${stderr}`).not.toContain('\u001b');
    expect(stdout).toContain('dram');
  });

  it('is quiet when the reader closes the pipe', async () => {
    writeSamples(box);
    const { stderr } = await execa('sh', ['-c', `"${process.execPath}" "${BIN}" --help | head -1`], {
      cwd: box.folder,
    });
    expect(stderr).toBe('');
  });

  it('is written although nobody reads the progress any more', async () => {
    const flags = writeSamples(box);
    const work = [process.execPath, BIN, 'replay', 'requests.jsonl', ...flags, '--progress', 'json'];
    const line = work.map((word) => `'${word}'`).join(' ');
    await execa('sh', ['-c', `{ ${line} 2>&1 >/dev/null; echo $? > code; } | true`], {
      cwd: box.folder,
      env: { NO_COLOR: '1' },
    });
    expect(readFileSync(box.path('code'), 'utf8')).toBe('0\n');
    expect(existsSync(box.path('.evicpress/replay.json'))).toBe(true);
  });

  it('ends with the same code where nobody reads the result any more', async () => {
    const flags = writeSamples(box);
    const plan = ['plan', ...flags, '--contexts', 'contexts.ndjson', '--detailed-exitcode', '-o', '-'];
    for (const args of [plan, [...plan.slice(0, -2), '--json'], plan.slice(0, -2)]) {
      const line = [process.execPath, BIN, ...args].map((word) => `'${word}'`).join(' ');
      const { stderr } = await execa('sh', ['-c', `{ ${line}; echo $? > code; } | true`], {
        cwd: box.folder,
      });
      expect(stderr).toBe('');
      expect(readFileSync(box.path('code'), 'utf8')).toBe('10\n');
    }
  });

  it('gives the same bytes for the same input', async () => {
    const flags = writeSamples(box);
    const once = await box.evicpress('plan', ...flags, '--contexts', 'contexts.ndjson', '-o', '-');
    const again = await box.evicpress('plan', ...flags, '--contexts', 'contexts.ndjson', '-o', '-');
    expect(again.stdout).toBe(once.stdout);
    expect(once.stdout.trim().split('\n')).toHaveLength(5);
  });
});

describe('exit codes', () => {
  it('0 for --version, which is that of the package', async () => {
    const { exitCode, stdout } = await box.evicpress('--version');
    expect(stdout).toMatch(/^\d+\.\d+\.\d+$/);
    expect(exitCode).toBe(0);
  });
});
