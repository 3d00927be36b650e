import { describe, expect, it } from 'vitest';
import { samples, sandbox, writeSamples } from '../support/cli.js';

const box = sandbox();

async function planned(inputs: readonly string[], ...flags: string[]): Promise<void> {
  const { exitCode } = await box.evicpress(
    ...['plan', '--trace', 'requests.jsonl', ...inputs, ...flags, '-o', 'plan.ndjson'],
  );
  expect(exitCode).toBe(0);
}

const replayed = (...flags: string[]) =>
  box.evicpress('replay', 'requests.jsonl', '--plan', 'plan.ndjson', '--warm', '0', ...flags);

describe('a replay of a plan', () => {
  it('puts what was predicted beside what came of it', async () => {
    const inputs = writeSamples(box);
    await planned(inputs);
    const { exitCode, stdout, stderr } = await replayed(...inputs, '--policies', 'lru,evicpress', '--json');
    expect(exitCode).toBe(0);
    expect(stderr).toBe('');
    const { plan, policies } = JSON.parse(stdout);
    expect(plan).toMatchObject({ contexts: 3, contextsInLog: 3 });
    // Four requests reuse something; dram has room for everything, and loads sooner than a prefill.
    const block = 512 * samples.model.kvBytesPerToken;
    const load = (blocks: number) => 0.001 + (blocks * block) / 20e9;
    expect(policies[0].reuseTtftSeconds).toBeCloseTo((2 * load(2) + load(3) + load(2)) / 4, 12);
    expect(policies[0].reuseQuality).toBe(1);
    const { stdout: words } = await replayed(...inputs, '--policies', 'evicpress');
    expect(words).toMatch(
      /The plan, 3 of whose 3 contexts are in the log, predicts .* of TTFT for what is reused, at quality .*; replayed it took/,
    );
  });

  it('says what of the plan it cannot follow', async () => {
    const inputs = writeSamples(box);
    await planned(inputs, '--forbid', 'dram', '--forbid', 'recompute', '--alpha', '0');
    box.write('model.json', { ...samples.model, name: 'other' });
    box.write('tiers.json', { ...samples.tiers, tiers: samples.tiers.tiers.slice(0, 1) });
    box.write(
      'requests.jsonl',
      samples.log.map((request) => ({ ...request, hash_ids: request.hash_ids.map((id) => id + 70) })),
    );
    const { exitCode, stderr } = await replayed(
      ...['--tiers', 'tiers.json', '--model', './model.json', '--methods', 'none', '--policies', 'lru'],
    );
    expect(exitCode).toBe(0);
    const said = stderr.replace(/\s+/g, ' ');
    expect(said).toContain('--plan: only policy evicpress follows a plan, and it is not replayed.');
    expect(said).toContain('--plan: it is for model small, the replay for other.');
    expect(said).toContain(
      '--plan: 3 of its contexts are in tiers that the replay does not have (ssd; it has dram)',
    );
    expect(said).toContain('compressed in ways the replay has no figures for (keydiff@0.9');
    expect(said).toContain('--plan: none of its 3 contexts is in the log.');
  });
});
