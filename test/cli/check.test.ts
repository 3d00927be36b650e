import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { samples, sandbox, writeSamples } from '../support/cli.js';

const box = sandbox();

/** Everything wrong, by line. */
async function faultsOf(...files: string[]) {
  const { exitCode, stdout } = await box.evicpress('check', '--json', ...files);
  const { files: checked } = JSON.parse(stdout) as {
    files: { faults: { line?: number; what: string }[] }[];
  };
  return {
    exitCode,
    faults: checked.flatMap(({ faults }) => faults.map(({ line, what }) => `${line}: ${what}`)),
  };
}

describe('evicpress check of contexts', () => {
  it('finds parents that are not there, every circle of parents, and what planning lacks', async () => {
    const context = (name: string, more: object) => ({ context: name, tokens: 8, accesses: 1, ...more });
    box.write('contexts.ndjson', [
      context('a', { parent: 'c' }),
      context('b', { parent: 'a' }),
      context('c', { parent: 'b' }),
      context('d', { parent: 'gone' }),
      context('e', { parent: 'e' }),
      context('f', { parent: 'a' }),
      { context: 'g', accesses: 1 },
      { context: 'h', tokens: 8, accesses: -1 },
    ]);
    const { exitCode, faults } = await faultsOf('contexts.ndjson');
    expect(exitCode).toBe(1);
    expect(faults).toEqual([
      '1: the parents of context "a" form a circle: a → c → b → a; a context cannot be its own ancestor.',
      '4: context "d" names parent "gone", which is not in this file.',
      '5: the parents of context "e" form a circle: e → e; a context cannot be its own ancestor.',
      '7: context "g" has neither tokens nor fullBytes; planning needs its size.',
      '8: accesses: expected a number ≥ 0 (got -1).',
    ]);
  });

  it('passes parents in any order, and plan refuses the first fault with its line', async () => {
    const flags = writeSamples(box);
    box.write('contexts.ndjson', [
      { context: 'child', tokens: 8, accesses: 1, parent: 'root' },
      { context: 'root', tokens: 8, accesses: 1 },
    ]);
    expect((await faultsOf('contexts.ndjson')).faults).toEqual([]);
    box.write('contexts.ndjson', [{ context: 'a', tokens: 8, accesses: 1, parent: 'a' }]);
    const { stderr } = await box.evicpress('plan', ...flags, '--contexts', 'contexts.ndjson');
    expect(stderr).toMatch(/contexts\.ndjson:1: the parents of context "a" form a circle/);
  });

  it('holds pins against the profiles beside them, or those of evicpress.yaml, and else lets them be', async () => {
    writeSamples(box);
    const pinned = (name: string, pin: object) => ({ context: name, tokens: 8, accesses: 1, pin });
    box.write('contexts.ndjson', [
      pinned('a', { tier: 'drm', method: 'zip' }),
      pinned('b', { tier: 'dram', method: 'int4', compressionRatio: 0.2 }),
      pinned('c', { tier: 'ssd', method: 'int4', compressionRatio: 0.7 }),
      pinned('d', { tier: 'recompute', method: 'none' }),
    ]);
    expect((await faultsOf('contexts.ndjson')).faults).toEqual([]);
    const expected = [
      '1: context "a" is pinned to tier "drm", which is not in tiers.json. Tiers: dram, ssd.',
      '1: context "a" is pinned to method "zip", for which methods.ndjson has no row. Profile it, or change the pin.',
      '2: context "b" is pinned to method "int4" at ratio 0.2, for which methods.ndjson has no row. Profile it, or change the pin.',
    ];
    const beside = await faultsOf('contexts.ndjson', 'tiers.json', 'methods.ndjson');
    expect(beside.faults).toEqual(expected);
    box.write('evicpress.yaml', 'tiers: tiers.json\nmethods: methods.ndjson\n');
    expect((await faultsOf('contexts.ndjson')).faults).toEqual(expected);
  });

  it('refuses a newer version, with the line of the header', async () => {
    box.write('contexts.ndjson', [
      { format: 'evicpress.contexts', version: 2 },
      { context: 'a', tokens: 8, accesses: 1 },
    ]);
    expect((await faultsOf('contexts.ndjson')).faults).toEqual([
      expect.stringMatching(/^1: version 2 is not/),
    ]);
  });
});

describe('evicpress check of evicpress.yaml', () => {
  it('names every value, name and file that the commands would refuse, with its line', async () => {
    writeSamples(box);
    box.write(
      'evicpress.yaml',
      `tiers: tiers.json
aplha: 2
alpha: two
capacity:
  drm: 80GB
  dram: 80XB
methods: gone.ndjson
model: llama-3.1-8c
engine: vlm
profile:
  runner: embeded
  tier: {dram: drm}
plan:
  maxGap: -1
  capacity: [ssd=1Q, hdd=1GB]
replay:
  policies: [lrru, lru+int4]
refresh:
  halfLife: soon
  tenantShare: {"acme:ssdd": 400%}
`,
    );
    const { exitCode, faults } = await faultsOf('evicpress.yaml');
    expect(exitCode).toBe(1);
    const starts = faults.map((fault) => /^\d+: \S+: .*?\.(?= |$)/.exec(fault)![0]);
    expect(starts).toEqual([
      '2: aplha: no option we know.',
      '3: alpha: "two" is not a number of at least 0.',
      '5: capacity.drm: Unknown tier "drm".',
      '6: capacity.dram: "80XB": unknown unit of size "XB".',
      '7: methods: gone.ndjson: no such file.',
      '8: model: Unknown model "llama-3.1-8c".',
      '9: engine: Unknown engine "vlm".',
      '11: profile.runner: Unknown runner "embeded".',
      '12: profile.tier.dram: Unknown tier kind "drm".',
      '14: plan.maxGap: "-1" is not a number of at least 0.',
      '15: plan.capacity[0]: "1Q": unknown unit of size "Q".',
      '15: plan.capacity[1]: Unknown tier "hdd".',
      '17: replay.policies[0]: Unknown policy "lrru".',
      '19: refresh.halfLife: "soon" is not a duration.',
      '20: refresh.tenantShare.acme:ssdd: "400" is not a number from 0 to 100.',
      '20: refresh.tenantShare.acme:ssdd: Unknown tier "ssdd".',
    ]);
  });

  it('says in words what a field must be, with its line', async () => {
    box.write('evicpress.yaml', 'alpha: [2]\ncapacity: 80GB\nrefresh: hourly\n');
    expect((await faultsOf('evicpress.yaml')).faults).toEqual([
      '1: alpha: expected text or a number (got [2]).',
      '2: capacity: expected a mapping of names to values (got "80GB").',
      '3: refresh: expected an object (got "hourly").',
    ]);
  });

  it('takes files as editors on Windows write them, and a configuration that says nothing', async () => {
    const flags = writeSamples(box);
    const odd = (name: string) =>
      box.write(name, `\uFEFF${readFileSync(box.path(name), 'utf8').replaceAll('\n', '\r\n')}`);
    box.write('tiers.json', JSON.stringify(samples.tiers, null, 2));
    box.write('evicpress.yaml', 'alpha: 2\nplan:\n  output: own.ndjson\n');
    const files = ['tiers.json', 'model.json', 'methods.ndjson', 'contexts.ndjson', 'evicpress.yaml'];
    for (const name of files) odd(name);
    expect(await faultsOf(...files)).toEqual({ exitCode: 0, faults: [] });
    const planned = await box.evicpress('plan', ...flags, '--contexts', 'contexts.ndjson');
    expect(planned).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('written to own.ndjson') });
    box.write('evicpress.yaml', '');
    expect(await faultsOf('evicpress.yaml')).toEqual({ exitCode: 0, faults: [] });
  });

  it('finds no fault in what init writes', async () => {
    box.write('requests.jsonl', [{ timestamp: 0, input_length: 512, output_length: 1, hash_ids: [1] }]);
    expect((await box.evicpress('init')).exitCode).toBe(0);
    expect(await faultsOf('evicpress.yaml')).toEqual({ exitCode: 0, faults: [] });
  });
});

describe('evicpress check of a plan', () => {
  it('finds what no planner writes: foreign tiers, bytes for nothing, lost prefixes, wrong sums', async () => {
    const contexts = ['a', 'b', 'c'].map((context, i) => ({
      ...{ context, tokens: 800, startTokens: 800 * i, accesses: 9 },
      ...(i > 0 && { parent: 'ab'[i - 1] }),
    }));
    const flags = writeSamples(box);
    box.write('contexts.ndjson', contexts);
    await box.evicpress('plan', ...flags, '--contexts', 'contexts.ndjson', '-o', 'plan.ndjson');
    expect(await faultsOf('plan.ndjson')).toEqual({ exitCode: 0, faults: [] });

    const lines = readFileSync(box.path('plan.ndjson'), 'utf8').trim().split('\n').slice(0, -1);
    const rows = lines.map((line) => JSON.parse(line));
    const faultsWith = (row: number, more: object) => {
      const changed = rows.map((value, i) => JSON.stringify(i === row ? { ...value, ...more } : value));
      const body = `${changed.join('\n')}\n`;
      const sha256 = createHash('sha256').update(body).digest('hex');
      box.write('changed.ndjson', `${body}${JSON.stringify({ end: true, rows: 3, sha256 })}\n`);
      return faultsOf('changed.ndjson');
    };
    const at = (name: string) => rows.findIndex(({ context }) => context === name);
    const nothing = { tier: 'recompute', method: 'none', compressionRatio: 0, storedBytes: 0, quality: 1 };
    expect((await faultsWith(at('c'), { tier: 'nvme' })).faults).toEqual([
      `${at('c') + 1}: tier "nvme" is none of the plan's: dram, ssd, recompute.`,
    ]);
    expect((await faultsWith(at('c'), { ...nothing, storedBytes: 7 })).faults).toEqual([
      `${at('c') + 1}: what is recomputed has method none, ratio 0, 0 bytes and quality 1, and nothing else.`,
    ]);
    expect((await faultsWith(at('a'), nothing)).faults).toContain(
      `${at('b') + 1}: context "b" is kept, but its parent "a" is not: nothing can reach it.`,
    );
    const { tier, storedBytes } = rows[at('c')];
    const { faults } = await faultsWith(at('c'), { storedBytes: storedBytes + 1 });
    expect(faults).toEqual([expect.stringMatching(`^1: tier ${tier} is said to hold`)]);
  });
});
