import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { samples, sandbox, writeSamples } from '../support/cli.js';

const box = sandbox();

describe('evicpress size', () => {
  it('writes a point per size, and answers how much is needed', async () => {
    const flags = [...writeSamples(box), '--contexts', 'contexts.ndjson'];
    const args = ['--vary', 'dram=100MB..4GB', '--points', '5', '--for', 'ttft<=0.08'];
    const { exitCode, stdout } = await box.evicpress('size', ...flags, ...args, '--json');
    expect(exitCode).toBe(0);
    const file = JSON.parse(readFileSync(box.path('.evicpress/size.json'), 'utf8'));
    expect(file.points).toHaveLength(5);
    expect(JSON.parse(stdout).answer.meanTtftSeconds).toBeLessThanOrEqual(0.08);
  });

  it('says how many lines of the log were left out', async () => {
    const flags = [...writeSamples(box), '--trace', 'holes.jsonl', '--skip-bad', '--points', '2'];
    box.write('holes.jsonl', `${readFileSync(box.path('requests.jsonl'), 'utf8').trim()}\n{"x\n`);
    const { exitCode, stderr } = await box.evicpress('size', ...flags);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/warning: 1 line was skipped, the first: line \d+: not valid JSON/);
  });

  it('says what is reached where the wish cannot be granted', async () => {
    const flags = [...writeSamples(box), '--contexts', 'contexts.ndjson'];
    const { exitCode, stderr } = await box.evicpress(
      'size',
      ...flags,
      '--vary',
      'dram=1MB..2MB',
      '--for',
      'ttft<=1us',
    );
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/Even 2\.00 MB of dram do not give ttft<=1us: mean TTFT is /);
  });
});

describe('evicpress size in plain words', () => {
  it('warns of sizes that are a few bytes, and says what a single point gives', async () => {
    const flags = [...writeSamples(box), '--contexts', 'contexts.ndjson'];
    const few = await box.evicpress('size', ...flags, '--vary', 'dram=10..20', '--points', '2');
    expect(few.stderr).toMatch(/dram is varied from 10 bytes to 20 bytes\. .* dram=10GB\.\.20GB\./);
    const one = await box.evicpress('size', ...flags, '--vary', 'dram=1GB..2GB', '--points', '1');
    expect(one.stderr).toBe('');
    expect(one.stdout).toMatch(/With 2\.00 GB of dram mean TTFT is .* at quality/);
    expect(one.stdout).not.toMatch(/knee/);
  });
});

describe('evicpress size where a mean quality is asked for', () => {
  it('weighs quality such that the largest size has it, as plan does; an alpha wins over it', async () => {
    const flags = [...writeSamples(box), '--contexts', 'contexts.ndjson'];
    box.write('evicpress.yaml', 'meanQuality: 0.95\n');
    const args = ['size', ...flags, '--vary', 'dram=100MB..4GB', '--points', '3'];
    const { exitCode, stdout } = await box.evicpress(...args);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/which gives mean quality 0\.95 at the largest sizes/);
    const file = JSON.parse(readFileSync(box.path('.evicpress/size.json'), 'utf8'));
    const plan = await box.evicpress('plan', ...flags, '--capacity', 'dram=4GB', '--json');
    expect(file.meanQuality).toBe(0.95);
    expect(file.alpha).toBe(JSON.parse(plan.stdout).objective.alpha);
    const { stdout: at2 } = await box.evicpress(...args, '--alpha', '2', '--json');
    expect(JSON.parse(at2)).not.toHaveProperty('meanQuality');
    expect(JSON.parse(at2).alpha).toBe(2);
  });
});

describe('evicpress size where each rank has a tier for itself', () => {
  it('means the bytes of one rank, as --capacity does', async () => {
    const [dram, ssd] = samples.tiers.tiers;
    writeSamples(box);
    box.write('tiers.json', { ...samples.tiers, tiers: [{ ...dram, scope: 'rank' }, ssd] });
    box.write('model.json', { ...samples.model, kvBytesPerTokenPerRank: samples.model.kvBytesPerToken / 4 });
    const inputs = ['--tiers', 'tiers.json', '--methods', 'none', '--model', './model.json'];
    const flags = [...inputs, '--contexts', 'contexts.ndjson', '--json'];
    const size = await box.evicpress('size', ...flags, '--vary', 'dram=100MB..200MB', '--points', '3');
    expect(size.exitCode).toBe(0);
    for (const { capacities, meanTtftSeconds } of JSON.parse(size.stdout).points) {
      const plan = await box.evicpress('plan', ...flags, '--capacity', `dram=${capacities.dram}B`);
      expect(JSON.parse(plan.stdout).summary.meanTtftSeconds).toBeCloseTo(meanTtftSeconds, 9);
    }
  });
});

describe('a plan with nothing to keep, or nowhere to keep it', () => {
  it('says that nothing is asked for twice, in every view of it', async () => {
    const inputs = writeSamples(box);
    box.write('once.jsonl', samples.log.slice(0, 1));
    const plan = await box.evicpress('plan', ...inputs, '--trace', 'once.jsonl', '-o', 'plan.ndjson');
    expect(plan).toMatchObject({ exitCode: 0, stderr: '' });
    const nothing = 'Nothing is asked for a second time: there is no context to keep.';
    expect(plan.stdout).toContain(`${nothing} Plan written to plan.ndjson.`);
    expect(plan.stdout).not.toMatch(/Mean TTFT|optimal|accesses/);
    const report = await box.evicpress('report', '--plan', 'plan.ndjson', '--json');
    expect(JSON.parse(report.stdout).answer).toEqual([nothing]);
    const explain = await box.evicpress('explain', 'a', '--plan', 'plan.ndjson');
    expect(explain.stderr).toBe(
      'evicpress: plan.ndjson places no context at all: there is nothing to explain.',
    );
    for (const engine of ['lmcache', 'vllm', 'sglang', 'dynamo', 'llamacpp']) {
      const exported = await box.evicpress(
        'export',
        '--engine',
        engine,
        '--plan',
        'plan.ndjson',
        '-o',
        engine,
      );
      expect(exported).toMatchObject({ exitCode: 0, stderr: '' });
    }
  });

  it('claims nothing of room in tiers that have none', async () => {
    const room = ['--capacity', 'dram=0', '--capacity', 'ssd=0'];
    const flags = [...writeSamples(box), '--contexts', 'contexts.ndjson', ...room];
    const plan = await box.evicpress('plan', ...flags, '-o', 'plan.ndjson');
    expect(plan.stdout).toContain('dram: no room; what some would be worth was not looked at.');
    const report = await box.evicpress('report', '--plan', 'plan.ndjson', '--json');
    expect(JSON.parse(report.stdout).answer.at(-1)).toBe(
      'No tier that has room would gain from more; what some would be worth in dram and ssd was not looked at.',
    );
  });
});

describe('evicpress explain', () => {
  it('finds the files a plan was made from, the model among them', async () => {
    await box.evicpress('plan', ...writeSamples(box), '--contexts', 'contexts.ndjson', '-o', 'plan.ndjson');
    const { exitCode, stdout, stderr } = await box.evicpress('explain', 'a', '--plan', 'plan.ndjson');
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/"a" is (not )?kept/);
  });

  it('says where its sums are for another model than the plan', async () => {
    await box.evicpress('plan', ...writeSamples(box), '--contexts', 'contexts.ndjson', '-o', 'plan.ndjson');
    box.write('other.json', { ...samples.model, name: 'other' });
    const { exitCode, stderr } = await box.evicpress(
      ...['explain', 'a', '--plan', 'plan.ndjson', '--model', 'other.json'],
    );
    expect(stderr).toContain('warning: The plan is for model small, the sums below are for other: leave');
    expect(exitCode).toBe(0);
  });

  it('takes what the plan had to keep to from the plan', async () => {
    const inputs = writeSamples(box);
    const contexts = samples.contexts.map((context) => ({ ...context, tenant: 'acme' }));
    box.write('contexts.ndjson', [
      { format: 'evicpress.contexts', version: 1, periodSeconds: 3600 },
      ...contexts,
    ]);
    const demands = [
      ...['--forbid', 'ssd', '--bandwidth-share', '0.5', '--tenant-share', 'acme:dram=60%'],
      ...['--write-budget', 'dram=1TB', '--price', 'dram=2', '--max-money', '1', '--money-weight', '10s'],
    ];
    const flags = [...inputs, '--contexts', 'contexts.ndjson', ...demands];
    const plan = await box.evicpress('plan', ...flags, '-o', 'plan.ndjson', '--json');
    expect(plan.stderr).toBe('');
    expect(JSON.parse(plan.stdout).demands).toEqual({
      forbidden: ['ssd'],
      bandwidthShare: 0.5,
      tenantShares: [{ tenant: 'acme', tier: 'dram', share: 0.6 }],
      writtenBytesPerDay: { dram: 1e12 },
      moneyPerMonth: 1,
      secondsPerMoney: 10,
    });
    // What evicpress.yaml asks by now was not asked of this plan.
    box.write('evicpress.yaml', 'forbid: [dram]\nminQuality: 0.99\n');
    const explain = ['explain', 'a', '--plan', 'plan.ndjson', '--json'];
    const [bare, told] = [await box.evicpress(...explain), await box.evicpress(...explain, ...flags)];
    expect(bare.exitCode).toBe(0);
    expect(JSON.parse(bare.stdout)).toEqual(JSON.parse(told.stdout));
    const { options } = JSON.parse(bare.stdout) as { options: { tier: string; quality: number }[] };
    expect(new Set(options.map(({ tier }) => tier))).toEqual(new Set(['dram', 'recompute']));
    expect(Math.min(...options.map(({ quality }) => quality))).toBeLessThan(0.99);
  });

  it('shows the options of a context, and suggests the nearest id', async () => {
    const flags = [...writeSamples(box), '--contexts', 'contexts.ndjson'];
    await box.evicpress('plan', ...flags, '-o', 'plan.ndjson');
    const { exitCode, stdout } = await box.evicpress('explain', 'a', '--plan', 'plan.ndjson', ...flags);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/▸ .*\n/);
    expect(stdout).toMatch(/"a" is (not )?kept/);
    const unknown = await box.evicpress('explain', 'aa', '--plan', 'plan.ndjson', ...flags);
    expect(unknown.exitCode).toBe(1);
    expect(unknown.stderr).toMatch(/places no context "aa"\. Did you mean a\?/);
  });
});

describe('evicpress check', () => {
  it('finds no fault in files that have none', async () => {
    writeSamples(box);
    const { exitCode, stdout } = await box.evicpress(
      'check',
      ...['tiers.json', 'model.json', 'methods.ndjson', 'contexts.ndjson', 'requests.jsonl'],
    );
    expect(stdout.split('\n')).toHaveLength(5);
    expect(stdout).not.toMatch(/:\d+:/);
    expect(exitCode).toBe(0);
  });

  it('passes over what a pattern brings along, and nothing else', async () => {
    writeSamples(box);
    box.write('results/report.html', '<!doctype html>');
    box.write('results/state/x', '');
    box.write('results/methods.journal.ndjson', [
      { format: 'evicpress.journal', version: 1 },
      { context: 'a', inputs: 'x', method: 'int4', compressionRatio: 0.75 },
      { context: 'a', inputs: 'x', method: 'int4', compressionRatio: 0.75 },
    ]);
    const all = ['results/report.html', 'results/state', 'results/methods.journal.ndjson'];
    const { exitCode, stdout } = await box.evicpress('check', ...all);
    expect(stdout.split('\n')).toEqual([
      'results/report.html: a page, passed over',
      'results/state: a folder, passed over',
      'results/methods.journal.ndjson: journal, no fault found',
    ]);
    expect(exitCode).toBe(0);
    const alone = await box.evicpress('check', 'results');
    expect(alone.stderr).toMatch(/this is a folder; name the files in it/);
    expect(alone.exitCode).toBe(1);
  });

  it('names every fault with its line, 50 at most and the count of the rest', async () => {
    writeSamples(box);
    box.write('contexts.ndjson', [
      { ...samples.contexts[0], tokens: -1, accesses: 'x' },
      samples.contexts[1],
      { ...samples.contexts[1] },
    ]);
    box.write(
      'requests.jsonl',
      samples.log.map((row, i) => (i % 2 === 1 ? { ...row, input_length: -1 } : row)),
    );
    box.write(
      'many.ndjson',
      Array.from({ length: 70 }, (_, i) => ({ context: `c${i}`, tokens: 0, accesses: 1 })),
    );
    const { exitCode, stdout } = await box.evicpress(
      'check',
      'contexts.ndjson',
      'requests.jsonl',
      'many.ndjson',
    );
    const lines = stdout.split('\n').map((line) => /^[^:]+:(\d+)?/.exec(line)?.[0]);
    expect(lines.slice(0, 6)).toEqual([
      'contexts.ndjson:1',
      'contexts.ndjson:1',
      'contexts.ndjson:3',
      'requests.jsonl:2',
      'requests.jsonl:4',
      'requests.jsonl:6',
    ]);
    expect(stdout).toMatch(/many\.ndjson: and 20 more/);
    expect(exitCode).toBe(1);
  });
});
