import { describe, expect, it } from 'vitest';
import { sandbox, writeSamples } from '../support/cli.js';

const box = sandbox();

/** What is wrong, and what is said of it. */
const wrong: readonly (readonly [string[], RegExp])[] = [
  [['--replan', '5x'], /unknown unit of duration "x"/],
  [['--replan', 'often'], /--replan: "often" is no interval/],
  [['--ttft-target', 'best=2s'], /--ttft-target: "best" is no statistic/],
  [['--ttft-target', 'p90=soon'], /"soon" is not a duration/],
  [['--fail-above', 'p90=soon'], /"soon" is not a duration/],
  [['--load', 'fast'], /--load: "fast" is not a number/],
  [['--warm', '1'], /--warm 1 leaves no request to score/],
  [['--engines', '1.5'], /--engines: "1\.5" is not a whole number/],
  [['--alpha', '-1'], /--alpha: "-1" is not a number/],
  [['--mean-quality', '2'], /--mean-quality: "2" is not a number/],
  [['--min-quality', 'x'], /--min-quality: "x" is not a number/],
  [['--block-tokens', '0'], /--block-tokens: "0" is not a number/],
  [['--assign-classes', 'x'], /--assign-classes: "x" is not a number/],
  [['--assign-classes', '1.5'], /^evicpress: --assign-classes: "1\.5" is not a whole number\.$/],
  [['--alpha', '2', '--mean-quality', '0.9'], /--alpha and a target for the mean are both given/],
  [['--assign-classes', '1', '--methods', 'none'], /--assign-classes needs a method profile with classes/],
  [['--policies', 'lru,beladi'], /Unknown policy "beladi"\. Did you mean belady\?/],
  [['--policies', 'lru+keydif@0.5'], /"keydif".*Did you mean keydiff\?/],
  [['--policies', 'lru+class-rule@2'], /the class rule needs the quality to keep/],
  [['--capacity', 'dram=lots'], /"lots" is not a size/],
  [['--plan', 'no.ndjson'], /no\.ndjson: no such file/],
  [['--arrivals', 'no.csv'], /no\.csv: no such file/],
  [['missing.jsonl'], /missing\.jsonl: no such file/],
  [['--live-requests', '5'], /--live-requests needs a running engine/],
  [['--live', 'http://127.0.0.1:1', '--live-output', 'x'], /--live-output: "x" is not a number/],
  [
    ['--live', 'http://127.0.0.1:9'],
    /No server answers at http:\/\/127\.0\.0\.1:9 \(HTTP clients refuse this port\)/,
  ],
  [['--live', 'http://127.0.0.1:59999'], /\(connection refused\)\. Start it, or correct the address/],
];

describe('what is wrong with a replay is said before its log is read', () => {
  it.each(wrong)('%j', async (flags, message) => {
    const inputs = writeSamples(box);
    box.write('no-log.jsonl', 'what takes long to read\n');
    const { exitCode, stderr } = await box.evicpress('replay', 'no-log.jsonl', ...inputs, ...flags);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(message);
  });

  it('sizes in blocks wait for it', async () => {
    const inputs = writeSamples(box);
    const flags = ['--capacity', 'dram=5blocks', '--policies', 'lru', '-o', '-'];
    const { exitCode, stdout } = await box.evicpress('replay', 'requests.jsonl', ...inputs, ...flags);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout).policies).toHaveLength(1);
  });
});

describe('--warm', () => {
  it('takes the share of the requests that it says, whatever its product is in binary', async () => {
    const inputs = writeSamples(box);
    const requests = Array.from({ length: 100 }, (_, i) => ({
      timestamp: 1000 * i,
      input_length: 512,
      output_length: 1,
      hash_ids: [i % 7],
    }));
    box.write('requests.jsonl', requests);
    const flags = ['--policies', 'lru', '--warm', '0.29', '-o', '-'];
    const { stdout } = await box.evicpress('replay', 'requests.jsonl', ...inputs, ...flags);
    expect(JSON.parse(stdout).warm).toBe(29);
  });
});
