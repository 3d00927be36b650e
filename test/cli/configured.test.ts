import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { samples, sandbox, writeSamples } from '../support/cli.js';

const box = sandbox();

const INPUTS = 'tiers: tiers.json\nmethods: methods.ndjson\nmodel: model.json\ncontexts: contexts.ndjson\n';

async function planned(...args: readonly string[]) {
  const { exitCode, stdout, stderr } = await box.evicpress('plan', '--json', ...args);
  expect(exitCode).toBe(0);
  return { header: JSON.parse(stdout), stderr };
}

describe('evicpress.yaml', () => {
  it('is the default of every option, the section of the verb before the top level, flags before both', async () => {
    writeSamples(box);
    box.write(
      'evicpress.yaml',
      `${INPUTS}alpha: 3\nconfidence: 0.9\nplan:\n  alpha: 5\n  output: own.ndjson\n`,
    );
    const { header, stderr } = await planned();
    expect(header.objective).toMatchObject({ alpha: 5, confidence: 0.9 });
    expect(readFileSync(box.path('own.ndjson'), 'utf8')).toContain('"alpha":5');
    expect(stderr).toBe('');
    expect((await planned('--alpha', '7')).header.objective.alpha).toBe(7);
  });

  it('is set aside by a flag that says the same in another way', async () => {
    writeSamples(box);
    box.write('evicpress.yaml', `${INPUTS}plan:\n  alpha: 5\n  contexts: contexts.ndjson\n`);
    const { header } = await planned('--mean-quality', '0.9', '--trace', 'requests.jsonl');
    expect(header.objective).toMatchObject({ meanQuality: 0.9 });
    expect(header.inputs.map(({ path }: { path: string }) => path)).toContain('requests.jsonl');
  });

  it.each([
    ['plan', 'contexts.ndjson', 'contexts in evicpress.yaml'],
    ['plan', 'model.json', 'model in evicpress.yaml'],
    ['plan', '.evicpress/methods.ndjson', 'a result of before'],
    ['plan', 'evicpress.yaml', 'the configuration'],
    ['replay', 'requests.jsonl', 'trace in evicpress.yaml'],
    ['report', '.evicpress/plan.ndjson', 'a result of before'],
  ])('%s -o %s is refused: what is read unasked is not written over either', async (verb, output, name) => {
    writeSamples(box);
    const text = 'tiers: tiers.json\nmodel: model.json\ncontexts: contexts.ndjson\ntrace: requests.jsonl\n';
    box.write('evicpress.yaml', text);
    box.write('.evicpress/methods.ndjson', samples.methods);
    box.write('.evicpress/plan.ndjson', 'a plan');
    const before = readFileSync(box.path(output), 'utf8');
    const { exitCode, stderr } = await box.evicpress(verb, '-o', output);
    expect(stderr).toBe(
      `evicpress: -o ${output}: this file is read too (${name}), and would be written over. Write to another.`,
    );
    expect(exitCode).toBe(1);
    expect(readFileSync(box.path(output), 'utf8')).toBe(before);
  });

  it('is no input where a flag names another', async () => {
    const flags = writeSamples(box);
    box.write('evicpress.yaml', 'tiers: old.json\ncontexts: old.ndjson\n');
    for (const old of ['old.json', 'old.ndjson']) {
      box.write(old, 'what was before');
      const { stderr } = await planned(...flags, '--contexts', 'contexts.ndjson', '-o', old);
      expect(stderr).toBe('');
    }
  });

  it('takes lists, mappings and switches for options that repeat or stand alone', async () => {
    writeSamples(box);
    box.write(
      'evicpress.yaml',
      `${INPUTS}plan:\n  capacity: {dram: 1MB}\n  forbid: [ssd]\n  detailedExitcode: true\n`,
    );
    const { exitCode, stdout } = await box.evicpress('plan', '--json');
    expect(exitCode).toBe(10);
    const { tiers, rules } = JSON.parse(stdout);
    expect(tiers[0].capacityBytes).toBe(1e6);
    expect(rules).toBeDefined();
    expect(tiers.find((tier: { name: string }) => tier.name === 'ssd').usedBytes).toBe(0);
  });

  it('warns of what is no option of any command, and goes on', async () => {
    writeSamples(box);
    box.write('evicpress.yaml', `${INPUTS}aplha: 3\nreplay:\n  policis: [lru]\n`);
    const { header, stderr } = await planned();
    expect(stderr.split('\n')).toEqual([
      'warning: evicpress.yaml:5: aplha: no option we know. Did you mean alpha?',
      'warning: evicpress.yaml:7: replay.policis: no option we know. Did you mean policies?',
    ]);
    expect(header.objective.alpha).toBe(1);
  });

  it('has one name: another ending is refused, not passed over', async () => {
    const flags = writeSamples(box);
    box.write('evicpress.yml', 'alpha: 3\n');
    for (const args of [['plan', ...flags, '--contexts', 'contexts.ndjson'], ['init'], ['doctor']])
      expect(await box.evicpress(...args)).toMatchObject({
        exitCode: 1,
        stderr:
          'evicpress: evicpress.yml: the configuration is read from evicpress.yaml only. Rename it, or put it away.',
      });
  });

  it('is named with the line where what it says is wrong, and only where it is asked', async () => {
    writeSamples(box);
    const first = async (text: string, ...args: string[]) => {
      box.write('evicpress.yaml', `${INPUTS}${text}`);
      return (await box.evicpress(...args)).stderr.split('\n')[0];
    };
    expect(await first('alpha: two\n', 'plan')).toBe(
      'evicpress: evicpress.yaml:5: alpha: "two" is not a number of at least 0.',
    );
    expect(await first('capacity:\n  dram: 1GB\n  disk: 1GB\n', 'plan')).toMatch(
      /^evicpress: evicpress\.yaml:7: capacity\.disk: Unknown tier "disk"/,
    );
    expect(await first('forbid: [ssdd]\n', 'plan')).toMatch(
      /^evicpress: evicpress\.yaml:5: forbid\[0\]: Unknown tier "ssdd"\. Did you mean ssd\?/,
    );
    for (const [section, option] of [
      ['plan', 'capacity'],
      ['plan', 'price'],
      ['plan', 'writeBudget'],
      ['refresh', 'writeBudget'],
    ] as const)
      expect(
        await first(
          `${section}:\n  ${option}:\n    dram: 1\n    disk: 1\n`,
          section,
          ...(section === 'plan' ? [] : ['--trace', 'requests.jsonl']),
        ),
      ).toMatch(
        new RegExp(`^evicpress: evicpress\\.yaml:8: ${section}\\.${option}\\.disk: Unknown tier "disk"`),
      );
    expect(await first('plan:\n  forbid: [ssdd]\n', 'plan')).toMatch(
      /^evicpress: evicpress\.yaml:6: plan\.forbid: Unknown tier "ssdd"\. Did you mean ssd\?/,
    );
    expect(
      await first('refresh:\n  tenantShare: {"acme:ssdd": 40%}\n', 'refresh', '--trace', 'requests.jsonl'),
    ).toMatch(/^evicpress: evicpress\.yaml:6: refresh\.tenantShare\.acme:ssdd: Unknown tier "ssdd"/);
    expect(await first('forbid: [ssdd]\n', 'plan', '--forbid', 'ssd')).not.toMatch(/Unknown tier/);
    expect(await first('engine: vlm\n', 'plan')).toMatch(
      /^evicpress: evicpress\.yaml:5: engine: Unknown engine "vlm"\. Did you mean vllm\?/,
    );
    expect(await first('engine: vlm\n', 'plan', '--engine', 'vllm')).not.toMatch(/Unknown engine/);
    expect(await first('refresh:\n  threshold: unsen=2\n', 'refresh', '--trace', 'requests.jsonl')).toMatch(
      /^evicpress: evicpress\.yaml:6: refresh\.threshold: Unknown threshold "unsen"\. Did you mean unseen\?/,
    );
    expect(await first('replay:\n  failAbove: never\n', 'replay', 'requests.jsonl')).toMatch(
      /^evicpress: evicpress\.yaml:6: replay\.failAbove: "never" is not a duration/,
    );
  });
});
