import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { ReplayResult } from '../../src/formats/replay.js';
import { sandbox, writeSamples } from '../support/cli.js';

const box = sandbox();
const POLICIES = ['full-prefill', 'lru', 'lfu', 's3-fifo', 'arc', 'gdsf', 'lhd', 'belady', 'evicpress'];

/** A log line; ids are written as they are, so that they may be larger than a double holds. */
const line = (seconds: number, ...ids: readonly (string | number)[]) =>
  `{"timestamp": ${1000 * seconds}, "input_length": ${512 * ids.length}, "output_length": 1, "hash_ids": [${ids.join(', ')}]}\n`;

async function replayed(log: string, ...flags: string[]): Promise<ReplayResult> {
  const inputs = writeSamples(box);
  box.write('odd.jsonl', log);
  const outcome = await box.evicpress('replay', 'odd.jsonl', ...inputs, ...flags, '-o', 'odd.json');
  expect(outcome.stderr).not.toMatch(/defect|NaN|undefined/);
  expect(outcome.stdout).not.toMatch(/NaN|undefined|Infinity/);
  expect(outcome.exitCode).toBe(0);
  return JSON.parse(readFileSync(box.path('odd.json'), 'utf8')) as ReplayResult;
}

describe('logs that are odd', () => {
  it('one request: nothing to reuse', async () => {
    const { requests, warm, policies } = await replayed(line(0, 1, 2), '--policies', POLICIES.join());
    expect([requests, warm]).toEqual([1, 0]);
    expect(policies.map((policy) => policy.prefixHitRate)).toEqual(POLICIES.map(() => 0));
  });

  it('requests longer than every tier: the head is kept', async () => {
    const ids = Array.from({ length: 9 }, (_, i) => i);
    const log = Array.from({ length: 6 }, (_, r) => line(r, ...ids)).join('');
    const room = ['--capacity', 'dram=2blocks', '--capacity', 'ssd=1blocks', '--methods', 'none'];
    const { policies } = await replayed(log, '--policies', POLICIES.join(), ...room);
    const rates = Object.fromEntries(policies.map((policy) => [policy.policy, policy.prefixHitRate]));
    expect(rates.lru).toBeCloseTo(3 / 9, 12);
    for (const rate of Object.values(rates)) expect(rate).toBeLessThanOrEqual(rates.belady! + 1e-12);
  });

  it('one time stamp for all', async () => {
    const log = Array.from({ length: 12 }, () => line(7, 1, 2)).join('');
    const { policies } = await replayed(log, '--policies', POLICIES.join(), '--engines', '2');
    for (const policy of policies) {
      expect(policy.utilization).toBe(0);
      expect(policy.series!.map((window) => window.requests)).toEqual([6]);
    }
  });

  it('ids beyond 2^53 are told apart to the last digit', async () => {
    const near = ['9007199254740992', '9007199254740993', '18446744073709551615', '18446744073709551614'];
    const apart = near.map((id, r) => line(r, id)).join('');
    const [lru] = (await replayed(apart, '--policies', 'lru', '--warm', '0')).policies;
    expect(lru!.prefixHitRate).toBe(0);
    const [twice] = (await replayed(apart + apart, '--policies', 'lru', '--warm', '0')).policies;
    expect(twice!.prefixHitRate).toBe(0.5);
  });

  it.each([
    ['cut.jsonl.gz', () => gzipSync(line(0, 1).repeat(5000)).subarray(0, 90), /cut\.jsonl\.gz.*cut short/],
    ['empty.jsonl', () => Buffer.alloc(0), /empty\.jsonl.*empty/],
    ['blank.jsonl', () => Buffer.from('\n\n'), /blank\.jsonl/],
  ])('%s is refused in one line, and nothing is written', async (name, content, message) => {
    const inputs = writeSamples(box);
    writeFileSync(box.path(name), content());
    const { exitCode, stderr } = await box.evicpress('replay', name, ...inputs, '-o', 'odd.json');
    expect(exitCode).toBe(1);
    expect(stderr.trim()).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(existsSync(box.path('odd.json'))).toBe(false);
  });
});
