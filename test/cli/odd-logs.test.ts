import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import type { ReplayResult } from '../../src/formats/replay.js';
import { BIN, samples, sandbox, writeSamples } from '../support/cli.js';

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

  it.each(['-', '/dev/stdin'])('through a pipe, as %s', async (name) => {
    const inputs = writeSamples(box);
    const line = [process.execPath, BIN, 'replay', name, ...inputs, '-o', 'piped.json'];
    const command = `cat requests.jsonl | ${line.map((word) => `'${word}'`).join(' ')}`;
    const { stderr } = await execa('sh', ['-c', command], { cwd: box.folder, env: { NO_COLOR: '1' } });
    expect(stderr).toBe('');
    const piped = JSON.parse(readFileSync(box.path('piped.json'), 'utf8'));
    await box.evicpress('replay', 'requests.jsonl', ...inputs, '-o', 'read.json');
    expect(piped).toEqual({
      ...JSON.parse(readFileSync(box.path('read.json'), 'utf8')),
      log: '/dev/stdin',
    });
  });

  it('through a socket: said in words', async () => {
    // What a program of Node hands to another one as standard input is no pipe but a socket.
    const { exitCode, stderr } = await execa(process.execPath, [BIN, 'replay', '-'], {
      cwd: box.folder,
      input: line(0, 1),
      reject: false,
      env: { NO_COLOR: '1' },
    });
    expect(stderr).toMatch(/^evicpress: \/dev\/stdin: a socket, or a device that is not there/);
    expect(exitCode).toBe(1);
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
    ['on one line', JSON.stringify],
    ['over several', (rows: unknown) => JSON.stringify(rows, null, 2)],
  ])('a JSON array %s is told how to become lines, whatever it is read as', async (_, textOf) => {
    const flags = writeSamples(box);
    const [requests, contexts] = [samples.log, samples.contexts].map((rows) => textOf(rows));
    box.write('list.json', requests!);
    box.write('contexts.json', contexts!);
    const said = async (...args: string[]) => (await box.evicpress(...args)).stderr;
    const advice = (path: string) =>
      new RegExp(`^evicpress: ${path}:1: a JSON array begins here; .*jq -c '\\.\\[\\]' FILE`);
    expect(await said('plan', ...flags, '--trace', 'list.json')).toMatch(advice('list.json'));
    for (const format of ['mooncake', 'lmcache', 'documents'])
      expect(await said('replay', 'list.json', ...flags, '--format', format, '--skip-bad')).toMatch(
        advice('list.json'),
      );
    expect(await said('plan', ...flags, '--contexts', 'contexts.json')).toMatch(advice('contexts.json'));
    for (const path of ['list.json', 'contexts.json'])
      expect((await box.evicpress('check', path)).stdout).toMatch(/:1: a JSON array begins here/);
  });

  it('bytes that are no UTF-8 are not decoded to something else: two such ids would become one', async () => {
    const flags = writeSamples(box);
    const whole = line(0, '"é"', '"\ufffd"');
    const latin1 = Buffer.from(line(1, '"\u00e9"'), 'latin1');
    writeFileSync(box.path('mixed.jsonl'), Buffer.concat([Buffer.from(whole), latin1]));
    const strict = await box.evicpress('replay', 'mixed.jsonl', ...flags);
    expect([strict.exitCode, strict.stderr]).toEqual([
      1,
      'evicpress: mixed.jsonl:2: the line is not UTF-8. Write the file anew in UTF-8, for example with iconv. Pass --skip-bad to leave such lines out.',
    ]);
    const lenient = await box.evicpress('replay', 'mixed.jsonl', ...flags, '--skip-bad');
    expect(lenient.exitCode).toBe(0);
    expect(lenient.stderr).toContain('1 line was skipped, the first: line 2: the line is not UTF-8');
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
