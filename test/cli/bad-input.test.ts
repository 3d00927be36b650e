import { describe, expect, it } from 'vitest';
import { method, samples, sandbox, writeSamples } from '../support/cli.js';

/** What a user gets wrong: one clear line, exit code 1, nothing written. */
const box = sandbox();

type Spoil = readonly [what: string, file: string, content: string | object, message: RegExp];

/** A copy of the sample tiers with one field of the first tier changed. */
function tiersWith(change: object): object {
  const [first, ...rest] = samples.tiers.tiers;
  return { ...samples.tiers, tiers: [{ ...first, ...change }, ...rest] };
}

const read = samples.tiers.tiers[0].read;
const [header, row] = [samples.methods[0], samples.methods[1]];
const [a, b] = samples.contexts;
const [first, second] = samples.log;
/** A size command on the samples. */
const SIZE = ['size', '--contexts', 'contexts.ndjson', '--model', 'model.json', '--tiers', 'tiers.json'];

const spoiltFiles: readonly Spoil[] = [
  ['empty', 'tiers.json', '', /^evicpress: tiers\.json: the file is empty; expected a tier profile\.$/],
  ['not JSON', 'tiers.json', '{"tiers": [', /^evicpress: tiers\.json: not valid JSON \(/],
  [
    'another kind of file',
    'tiers.json',
    { format: 'evicpress.plan', version: 1 },
    /a file of plan, not of tiers/,
  ],
  ['of a later version', 'tiers.json', { ...samples.tiers, version: 2 }, /version 2 is not understood/],
  ['without tiers', 'tiers.json', { tiers: [] }, /tiers: expected at least one tier/],
  [
    'a capacity in words',
    'tiers.json',
    tiersWith({ capacityBytes: '1GB' }),
    /tiers\[0\]\.capacityBytes: expected a number \(got "1GB"\)/,
  ],
  [
    'a negative capacity',
    'tiers.json',
    tiersWith({ capacityBytes: -1 }),
    /tiers\[0\]\.capacityBytes: expected a number ≥ 0 \(got -1\)/,
  ],
  [
    'a negative latency',
    'tiers.json',
    tiersWith({ read: { ...read, latencySeconds: -1 } }),
    /read\.latencySeconds: expected a number ≥ 0 \(got -1\)/,
  ],
  [
    'no bandwidth',
    'tiers.json',
    tiersWith({ read: { latencySeconds: 0 } }),
    /read\.bytesPerSecond: missing; expected a number\./,
  ],
  [
    'NaN',
    'tiers.json',
    JSON.stringify(tiersWith({ capacityBytes: 1 })).replace(':1,', ':NaN,'),
    /not valid JSON/,
  ],
  [
    'infinity',
    'tiers.json',
    JSON.stringify(tiersWith({ capacityBytes: 1 })).replace(':1,"read"', ':1e999,"read"'),
    /capacityBytes: expected a number/,
  ],
  ['a tier named twice', 'tiers.json', tiersWith({ name: 'ssd' }), /tiers\[1\]: tier "ssd" is named twice/],
  ['a tier named recompute', 'tiers.json', tiersWith({ name: 'recompute' }), /"recompute" is not a tier/],

  [
    'one object over several lines',
    'methods.ndjson',
    JSON.stringify(row, null, 2),
    /^evicpress: methods\.ndjson:1: a JSON object over several lines begins here; expected one object per line\./,
  ],
  ['empty', 'methods.ndjson', '', /methods\.ndjson: the file is empty/],
  [
    'broken on line 3',
    'methods.ndjson',
    `${[header, row].map((r) => JSON.stringify(r)).join('\n')}\n{"context": \n`,
    /^evicpress: methods\.ndjson:3: not valid JSON/,
  ],
  [
    'a last line that is cut off',
    'methods.ndjson',
    `${[header, row].map((r) => JSON.stringify(r)).join('\n')}\n{"context": "a", "meth`,
    /^evicpress: methods\.ndjson:3: the file is cut off in the middle of this line\./,
  ],
  [
    'a ratio of 1',
    'methods.ndjson',
    [header, { ...row, compressionRatio: 1 }],
    /methods\.ndjson:2: compressionRatio: expected the fraction removed, 0 ≤ ratio < 1 \(got 1\)/,
  ],
  [
    'a negative ratio',
    'methods.ndjson',
    [{ ...row, compressionRatio: -0.1 }],
    /methods\.ndjson:1: compressionRatio: expected the fraction removed/,
  ],
  [
    'a quality above 1',
    'methods.ndjson',
    [header, row, { ...samples.methods[2], quality: 1.01 }],
    /methods\.ndjson:3: quality: expected a number from 0 to 1 \(got 1\.01\)/,
  ],
  [
    'a negative quality',
    'methods.ndjson',
    [{ ...row, quality: -0.5 }],
    /quality: expected a number from 0 to 1 \(got -0\.5\)/,
  ],
  [
    'no stored bytes',
    'methods.ndjson',
    [{ ...row, storedBytes: undefined }],
    /methods\.ndjson:1: storedBytes: missing/,
  ],
  [
    'a number for a name',
    'methods.ndjson',
    [{ ...row, method: 4 }],
    /methods\.ndjson:1: method: expected text \(got 4\)/,
  ],
  ['a list for a row', 'methods.ndjson', '[1, 2]\n', /methods\.ndjson:1: /],
  [
    'a row given twice',
    'methods.ndjson',
    [header, row, row],
    /methods\.ndjson:3: .* was given before, on line 2/,
  ],
  [
    'two metrics',
    'methods.ndjson',
    [
      { ...row, metric: 'x' },
      { ...row, metric: 'y' },
    ],
    /mixes the metrics x, y/,
  ],
  [
    'another model',
    'methods.ndjson',
    [method({ ...row, model: 'other' })],
    /the profile is of model other, the plan is for small.* --allow-model-mismatch/,
  ],

  ['empty', 'contexts.ndjson', '\n\n', /contexts\.ndjson: the file is empty; expected contexts/],
  [
    'broken on line 2',
    'contexts.ndjson',
    `${JSON.stringify(a)}\n{context: b}\n`,
    /contexts\.ndjson:2: not valid JSON/,
  ],
  [
    'a context given twice',
    'contexts.ndjson',
    [a, b, a],
    /contexts\.ndjson:3: context "a" was given before, on line 1/,
  ],
  [
    'negative accesses',
    'contexts.ndjson',
    [a, { ...b, accesses: -2 }],
    /contexts\.ndjson:2: accesses: expected a number ≥ 0 \(got -2\)/,
  ],
  [
    'tokens in words',
    'contexts.ndjson',
    [{ ...a, tokens: 'many' }],
    /contexts\.ndjson:1: tokens: expected a number \(got "many"\)/,
  ],
  [
    'no size',
    'contexts.ndjson',
    [{ context: 'a', accesses: 1 }],
    /contexts\.ndjson:1: context "a" has neither tokens nor fullBytes/,
  ],
  [
    'no accesses',
    'contexts.ndjson',
    [{ context: 'a', tokens: 1 }],
    /contexts\.ndjson:1: context "a" has no accesses/,
  ],
  [
    'a floor above 1',
    'contexts.ndjson',
    [{ ...a, minQuality: 2 }],
    /minQuality: expected a number from 0 to 1/,
  ],
  [
    'a parent that is not there',
    'contexts.ndjson',
    [a, { ...b, parent: 'z' }],
    /contexts\.ndjson:2: context "b" names parent "z", which is not in this file/,
  ],
  [
    'parents in a circle',
    'contexts.ndjson',
    [
      { ...a, parent: 'b' },
      { ...b, parent: 'a' },
    ],
    /circle/,
  ],
  [
    'a pin to no tier',
    'contexts.ndjson',
    [{ ...a, pin: { tier: 'drma' } }],
    /"a" is pinned to tier "drma".*Tiers: dram, ssd/,
  ],
  ['an empty name', 'contexts.ndjson', [{ ...a, context: '' }], /context: expected text that is not empty/],
  [
    'escape sequences',
    'contexts.ndjson',
    [
      { ...a, context: '\u001b[31mred' },
      { ...a, context: '\u001b[31mred' },
    ],
    /context "\\x1b\[31mred" was given before/,
  ],

  ['empty', 'requests.jsonl', '', /requests\.jsonl: the file is empty; expected a request log/],
  [
    'broken on line 2',
    'requests.jsonl',
    `${JSON.stringify(first)}\n{"timestamp": 1,\n`,
    /requests\.jsonl:2: not valid JSON.*--skip-bad/,
  ],
  [
    'a negative length',
    'requests.jsonl',
    [first, { ...second, input_length: -5 }],
    /requests\.jsonl:2: input_length: expected .*got -5/,
  ],
  [
    'a time in words',
    'requests.jsonl',
    [first, { ...second, timestamp: 'noon' }],
    /requests\.jsonl:2: timestamp: expected milliseconds/,
  ],
  [
    'block ids in words and lists',
    'requests.jsonl',
    [first, { ...second, hash_ids: [[1]] }],
    /requests\.jsonl:2: hash_ids\[0\]: expected/,
  ],
  [
    'no format we know',
    'requests.jsonl',
    'GET /index.html 200\n',
    /requests\.jsonl:1: this is no request log we know/,
  ],

  ['broken on line 2', 'evicpress.yaml', 'alpha: 1\ncapacity: [dram\n', /evicpress\.yaml:\d+: [^:]*\.$/],
  [
    'a list for a mapping',
    'evicpress.yaml',
    'capacity: [dram]\n',
    /evicpress\.yaml:1: capacity: expected a mapping of names to values/,
  ],
  [
    'a model that misses a field',
    'model.json',
    { name: 'small', kvBytesPerToken: 1 },
    /model\.json: prefill: missing; expected an object\./,
  ],
  [
    'no KV bytes',
    'model.json',
    { ...samples.model, kvBytesPerToken: 0 },
    /model\.json: kvBytesPerToken: expected a number > 0/,
  ],
];

describe('a file', () => {
  it.each(spoiltFiles)('with %s: %s', async (_, file, content, message) => {
    const flags = writeSamples(box);
    box.write(file, content);
    const demand = file === 'requests.jsonl' ? ['--trace', file] : ['--contexts', 'contexts.ndjson'];
    const { exitCode, stdout, stderr } = await box.evicpress(
      'plan',
      ...flags,
      ...demand,
      '-o',
      'plan.ndjson',
    );
    expect(stderr).toMatch(message);
    expect(stderr.split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(exitCode).toBe(1);
  });

  it.each(['tiers.json', 'methods.ndjson', 'model.json', 'contexts.ndjson'])(
    '%s that is missing',
    async (file) => {
      const flags = writeSamples(box);
      const args = ['plan', ...flags, '--contexts', 'contexts.ndjson'].map((arg) =>
        arg.endsWith(file) ? arg.replace(file, `no-${file}`) : arg,
      );
      const { exitCode, stderr } = await box.evicpress(...args);
      expect(stderr).toMatch(new RegExp(`no-${file}: no such file`));
      expect(stderr.split('\n')).toHaveLength(1);
      expect(exitCode).toBe(1);
    },
  );

  it('that is a folder', async () => {
    writeSamples(box);
    const { exitCode, stderr } = await box.evicpress('replay', '.');
    expect(stderr).toMatch(/^evicpress: \.: this is a folder; expected a request log\.$/);
    expect(exitCode).toBe(1);
  });
});

const mistypedFlags: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [['plna'], /^evicpress: Unknown command "plna"\. Did you mean plan\? Pick one of: /],
  [['plan', '--tires', 'x'], /^evicpress: Unknown option --tires\. Did you mean --tiers\?/],
  [['plan'], /Nothing to plan for\. Name a request log with --trace, or contexts with --contexts\./],
  [['plan', '--contexts'], /option '--contexts <file>' argument missing/i],
  [['plan', '--trace', 'requests.jsonl', '--contexts', 'contexts.ndjson'], /Both --trace and --contexts/],
  [
    ['plan', '--contexts', ''],
    /^evicpress: --contexts: the value is empty\. Is a variable of the shell not set\?/,
  ],
  [['plan', '--capacity', ''], /^evicpress: --capacity: the value is empty\./],
  [['replay', ''], /^evicpress: An argument is empty\./],
  [
    ['plan', '--contexts', 'contexts.ndjson', '--tiers', '0'],
    /^evicpress: "0" is neither a file nor a bundled profile of tiers\. Bundled: /,
  ],
  [
    ['refresh', '--trace', 'requests.jsonl', '--engine-url', 'abc'],
    /^evicpress: --engine-url: "abc" is not a URL\. Write it like http:/,
  ],
  [
    [...SIZE, '--vary', 'ddram=1GB..2GB'],
    /^evicpress: --vary ddram: Unknown tier "ddram"\. Did you mean dram\?/,
  ],
  [
    [...SIZE, '--vary', 'dram=1GB..2GB', '--points', '1.5'],
    /^evicpress: --points: "1\.5" is not a whole number/,
  ],
  [['plan', '--solver', 'dula'], /Unknown solver "dula"\. Did you mean dual\? Pick one of: /],
  [['plan', '--alpha', 'lots'], /--alpha: "lots" is not a number of at least 0/],
  [['plan', '--alpha', '-1'], /--alpha: "-1" is not a number of at least 0/],
  [['plan', '--alpha', '1e18'], /^evicpress: --alpha: "1e18" is too large to reckon with\./],
  [['plan', '--capacity', 'dram=1e400GB'], /--capacity dram: "1e400GB" is too large for a size/],
  [
    ['refresh', '--trace', 'requests.jsonl', '--half-life', '1e12d'],
    /--half-life: "1e12d" is too large to reckon with/,
  ],
  [
    ['refresh', '--print-cron', '--print-alerts'],
    /--print-cron, --print-alerts are given together\. Print one at a time\./,
  ],
  [
    ['diff', 'tiers.json/x', 'tiers.json'],
    /tiers\.json\/x: (a file is where a folder should be|no such file)/,
  ],
  [['plan', '-o', 'contexts.ndjson'], /-o contexts\.ndjson: this file is read too \(--contexts\)/],
  [['plan', '-o', './tiers.json'], /-o \.\/tiers\.json: this file is read too \(--tiers\)/],
  [['replay', 'requests.jsonl', '-o', 'requests.jsonl'], /this file is read too \(an argument\)/],
  [['export', '--engine', 'vllm', '-o', '-'], /-o -: export writes several files\. Name a folder/],
  [['export', '--engine', 'vllm', '--trace', 'requests.jsonl'], /--trace goes with --keyed-ids/],
  [
    ['export', '--keyed-ids', 'secretsecretsecret', '--trace', 'requests.jsonl', '-o', 'requests.jsonl'],
    /-o requests\.jsonl: this file is read too \(--trace\), and would be written over\. Write to another\./,
  ],
  [
    ['profile', 'tiers', '--tier', 'dram=dram', '--seconds-per-tier', '600', '-o', '.'],
    /^evicpress: \.: this is a folder; expected a file\./,
  ],
  [
    ['profile', 'tiers', '--tier', 'dram=dram', '--seconds-per-tier', '600', '-o', 'tiers.json/new/a.json'],
    /^evicpress: tiers\.json\/new\/a\.json: a file is where a folder should be\./,
  ],
  [['profile', 'tiers', '--tier', 'g=gpu:h10-host'], /^evicpress: Tier g: "h10-host" is neither/],
  [['pl\u202ean'], /^evicpress: Unknown command "pl\\u202ean"/],
  [['plan', '--alpha', 'NaN'], /--alpha: "NaN" is not a number/],
  [['plan', '--min-quality', '1.5'], /--min-quality: "1\.5" is not a number from 0 to 1/],
  [['plan', '--capacity', 'dram'], /--capacity: "dram" is not TIER=SIZE/],
  [['plan', '--capacity', 'drma=1GB'], /Unknown tier "drma"\. Did you mean dram\?/],
  [['plan', '--capacity', 'dram=lots'], /"lots" is not a size/],
  [['plan', '--capacity', 'dram=-1GB'], /"-1GB" is not a size/],
  [['plan', '--capacity', 'dram=1XB'], /unknown unit of size "XB"/],
  [['plan', '--capacity', 'dram=5blocks'], /is a size in blocks/],
  [['plan', '--forbid', 'sdd'], /Unknown tier "sdd"\. Did you mean ssd\?/],
  [['plan', '--metric', 'agreement'], /Unknown metric "agreement"/],
  [
    ['plan', '--methods', 'none', '--metric', 'agreement'],
    /Unknown metric "agreement"\. .*Pick one of: answer-similarity/,
  ],
  [['plan', '--format', 'mooncak'], /Unknown log format "mooncak"\. Did you mean mooncake\?/],
  [['plan', '--block-tokens', 'few'], /--block-tokens: "few" is not a number/],
  [['plan', '--max-gap', 'little'], /--max-gap: "little" is not a number of at least 0/],
  [['plan', '--chunk-tokens', '1.5'], /--chunk-tokens: "1\.5" is not a whole number/],
  [['plan', '--min-quality', 'chat=0.9'], /Unknown class "chat"\. There is none here\./],
  [['export', '--engine', 'vllm', '--ranks', '1.5'], /--ranks: "1\.5" is not a whole number/],
  [['plan', '--progress', 'loud'], /--progress: "loud" is unknown/],
  [['plan', '-C', 'nowhere'], /nowhere: no such folder/],
  [['plan', '--forbid', 'dram', '--forbid', 'ssd', '--forbid', 'recompute'], /^evicpress: (?!a defect)/],
  [
    ['replay', 'requests.jsonl', '--policies', 'lrru'],
    /Unknown policy "lrru"\. Did you mean lru\? Pick one of: full-prefill, lru/,
  ],
  [['replay', 'requests.jsonl', '--policies', 'lru+keydif@0.5'], /"keydif".*Did you mean keydiff\?/],
  [['replay', 'requests.jsonl', '--policies', 'lru+keydiff@0.77'], /0\.77/],
  [['replay', 'requests.jsonl', '--warm', '1.5'], /--warm: "1\.5" is not a number from 0 to 1/],
  [['replay', 'requests.jsonl', '--warm', '1'], /--warm 1 leaves no request to score/],
  [
    ['replay', 'requests.jsonl', '--calibrate', 'tiers.json'],
    /--calibrate needs a running engine\. Name it with --live/,
  ],
  [['replay', 'requests.jsonl', '--live-requests', '5'], /--live-requests needs a running engine/],
  [
    [
      'plan',
      '--trace',
      'requests.jsonl',
      '--tiers',
      'tiers.json',
      '--model',
      'model.json',
      '--block-tokens',
      '0',
    ],
    /--block-tokens: "0" is not a number of at least 1/,
  ],
  [['replay', 'requests.jsonl', '--engines', '0'], /--engines: "0" is not a number of at least 1/],
  [['replay', 'requests.jsonl', '--load', '0'], /--load: "0" is not a number/],
  [
    ['replay', 'requests.jsonl', '--format', 'mooncak'],
    /Unknown log format "mooncak"\. Did you mean mooncake\?/,
  ],
  [['demo', '-o', 'contexts.ndjson/demo'], /contexts\.ndjson\/demo: a file is where a folder should be/],
  [['demo', '-o', '/proc/demo'], /\/proc\/demo: no such file or folder/],
  [['replay', 'nothing.jsonl'], /nothing\.jsonl: no such file/],
  [['replay', 'requests.jsonl', '--plan', 'no.ndjson'], /no\.ndjson: no such file/],
  [['profile', 'methods', '--methods', 'keydif'], /Unknown method "keydif"\. Did you mean keydiff\?/],
  [['profile', 'methods', '--ratios', '1'], /ratio/],
  [['profile', 'methods', '--runner', 'embeded'], /Unknown runner "embeded"\. Did you mean embedded\?/],
  [['profile', 'methods', '--contexts', 'no.ndjson'], /no\.ndjson: no such file/],
  [
    ['profile', 'methods', '--contexts', 'contexts.ndjson'],
    /contexts\.ndjson:1: context "a" has no text; profiling needs it/,
  ],
  [['profile', 'methods', '--metric', 'answers'], /Unknown metric "answers"/],
  [['profile', 'methods', '--metric', ','], /^evicpress: --metric: "," names nothing/],
  [['profile', 'methods', '--methods', ' , '], /^evicpress: --methods: " , " names nothing/],
  [['profile', 'methods', '--methods', 'none'], /^evicpress: --methods: nothing to measure\./],
  [['profile', 'methods', '-o', '.'], /^evicpress: \.: this is a folder; expected a file\./],
  [['profile', 'methods', '--seed', '1.5'], /^evicpress: --seed: "1\.5" is not a whole number\.$/],
  [['profile', 'methods', '--queries', '2.5'], /^evicpress: --queries: "2\.5" is not a whole number\.$/],
  [['profile', 'tiers', '--seed', '1.5'], /^evicpress: --seed: "1\.5" is not a whole number\.$/],
  [
    ['profile', 'tiers', '--tier', 'e=engine:http://127.0.0.1:9', '--model', 'lama-3.1-8b'],
    /lama-3\.1-8b.*Did you mean llama-3\.1-8b\?/,
  ],
];

describe('the command line', () => {
  it.each(mistypedFlags)('%j', async (args, message) => {
    const flags = writeSamples(box);
    const [verb, ...rest] = args;
    const given = new Set(rest);
    const complete =
      verb === 'plan' && rest.length > 0 && !given.has('--trace') && !given.has('--contexts')
        ? [...flags, '--contexts', 'contexts.ndjson']
        : verb === 'replay'
          ? flags
          : [];
    const { exitCode, stderr } = await box.evicpress(verb!, ...complete, ...rest);
    expect(stderr).toMatch(message);
    expect(stderr.split('\n')).toHaveLength(1);
    expect(exitCode).toBe(1);
  });

  it('suggests the nearest bundled profile', async () => {
    writeSamples(box);
    const { exitCode, stderr } = await box.evicpress(
      'plan',
      '--tiers',
      'h100-hots',
      '--contexts',
      'contexts.ndjson',
    );
    expect(stderr).toMatch(
      /"h100-hots" is neither a file nor a bundled profile of tiers\. Did you mean h100-host\?/,
    );
    expect(exitCode).toBe(1);
  });

  it('suggests the nearest model', async () => {
    writeSamples(box);
    const args = ['--tiers', 'tiers.json', '--contexts', 'contexts.ndjson', '--model', 'llama-3.1-8bb'];
    const { exitCode, stderr } = await box.evicpress('plan', ...args);
    expect(stderr).toMatch(/Unknown model "llama-3\.1-8bb"\. Did you mean llama-3\.1-8b\?/);
    expect(exitCode).toBe(1);
  });
});

describe('a log whose times go backwards', () => {
  it('is sorted, and a warning says so', async () => {
    const flags = writeSamples(box);
    box.write('requests.jsonl', [samples.log[0], samples.log[2], samples.log[1], ...samples.log.slice(3)]);
    const backwards = await box.evicpress('replay', 'requests.jsonl', ...flags, '-o', 'backwards.json');
    expect(backwards.stderr).toMatch(/^warning: requests\.jsonl: .*(sorted|order)/);
    expect(backwards.exitCode).toBe(0);
  });
});

describe('a capacity without a unit', () => {
  it('is bytes, and a warning says so where that can hardly be meant', async () => {
    const flags = writeSamples(box);
    const args = ['plan', ...flags, '--contexts', 'contexts.ndjson'];
    const small = await box.evicpress(...args, '--capacity', 'dram=80');
    expect(small.stderr).toBe(
      'warning: dram is given 80 bytes. Write the unit, if one was meant: dram=80GB.',
    );
    expect(small.exitCode).toBe(0);
    expect((await box.evicpress(...args, '--capacity', 'dram=80000000')).stderr).toBe('');
  });
});

describe('an output that cannot be written', () => {
  it.each([
    ['tiers.json/plan.ndjson', /tiers\.json\/plan\.ndjson: /],
    ['/dev/full', /\/dev\/full: no space left on the device\. .*-o, or --state/],
  ])('%s', async (output, message) => {
    const flags = writeSamples(box);
    const { exitCode, stderr } = await box.evicpress(
      'plan',
      ...flags,
      '--contexts',
      'contexts.ndjson',
      '-o',
      output,
    );
    expect(stderr).toMatch(message);
    expect(stderr.split('\n')).toHaveLength(1);
    expect(exitCode).toBe(1);
  });
});
