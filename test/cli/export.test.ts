import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import { samples, sandbox, writeSamples } from '../support/cli.js';

const box = sandbox();

it('exports to the folders where the tiers of the plan were measured, without being told of them again', async () => {
  const flags = writeSamples(box);
  const [dram, ssd] = samples.tiers.tiers;
  const located = (location: string) => ({
    ...samples.tiers,
    tiers: [
      { ...dram, capacityBytes: 1e6 },
      { ...ssd, location, read: dram.read },
    ],
  });
  box.write('tiers.json', located('/mnt/of-the-plan'));
  box.write('.evicpress/tiers.json', located('/mnt/measured'));
  const planned = await box.evicpress('plan', ...flags, '--contexts', 'contexts.ndjson', '--methods', 'none');
  expect(planned.exitCode).toBe(0);
  const folder = async () => {
    expect((await box.evicpress('export', '--engine', 'sglang')).exitCode).toBe(0);
    const script = readFileSync(box.path('.evicpress/export/sglang/sglang.sh'), 'utf8');
    return /STORAGE_DIR=(\S+)/.exec(script)?.[1];
  };
  expect(await folder()).toBe('/mnt/of-the-plan');
  // Once the plan's own profile is another one, what was measured here is asked.
  box.write('tiers.json', located('/mnt/changed'));
  expect(await folder()).toBe('/mnt/measured');
});

it('starts the LMCache server with the plan in force, wherever its script is started from', async () => {
  const flags = writeSamples(box);
  await box.evicpress('plan', ...flags, '--contexts', 'contexts.ndjson', '--methods', 'none');
  // A python that only says which plan it was given.
  const python = box.write('bin/python', '#!/bin/sh\nshift 3\nrealpath -m "$1"\n');
  chmodSync(python, 0o755);
  const planOf = (script: string) =>
    spawnSync(script, {
      cwd: '/',
      env: { PATH: `${dirname(python)}:${process.env.PATH}` },
      encoding: 'utf8',
    }).stdout.trim();
  const exported = async (...more: string[]) =>
    expect((await box.evicpress('export', '--engine', 'lmcache', ...more)).exitCode).toBe(0);

  await exported();
  const inForce = box.path('.evicpress/state/in-force.ndjson');
  expect(planOf(box.path('.evicpress/export/lmcache/lmcache-server.sh'))).toBe(inForce);

  await exported('-o', 'to deploy', '--state', "node 7's");
  symlinkSync(box.path('to deploy/lmcache-server.sh'), box.path('server'));
  expect(planOf(box.path('server'))).toBe(box.path("node 7's/in-force.ndjson"));

  await exported('--state', '/srv/plans');
  expect(planOf(box.path('.evicpress/export/lmcache/lmcache-server.sh'))).toBe('/srv/plans/in-force.ndjson');
});

it("finds a relative folder of a profile from the profile's own, wherever the files go", async () => {
  writeSamples(box);
  const [dram, ssd] = samples.tiers.tiers;
  const tiers = [
    { ...dram, capacityBytes: 1e6 },
    { ...ssd, location: 'kv', read: dram.read },
  ];
  box.write('machines/a/tiers.json', { ...samples.tiers, tiers });
  const profile = ['--tiers', 'machines/a/tiers.json'];
  const planned = await box.evicpress(
    'plan',
    ...profile,
    ...['--model', './model.json', '--contexts', 'contexts.ndjson', '--methods', 'none'],
  );
  expect(planned.exitCode).toBe(0);
  expect((await box.evicpress('export', '--engine', 'sglang', '-o', 'deploy')).exitCode).toBe(0);
  expect(readFileSync(box.path('deploy/sglang.sh'), 'utf8')).toContain(
    `STORAGE_DIR=${box.path('machines/a/kv')}`,
  );
});

it('says where the plan is for another model than the one that is named', async () => {
  const flags = writeSamples(box);
  box.write('large.json', { ...samples.model, name: 'large' });
  await box.evicpress('plan', ...flags, '--contexts', 'contexts.ndjson', '--methods', 'none');
  const { exitCode, stderr } = await box.evicpress('export', '--engine', 'vllm', '--model', './large.json');
  expect(exitCode).toBe(0);
  expect(stderr.replace(/\s+/g, ' ')).toContain('The plan is for model small, --model names large');
});

it('writes a keyed copy to standard output, and nothing else', async () => {
  const flags = writeSamples(box);
  await box.evicpress('plan', ...flags, '--contexts', 'contexts.ndjson', '--methods', 'none');
  const args = ['export', '--keyed-ids', 'secretsecretsecret', '-o'];
  expect((await box.evicpress(...args, 'keyed.ndjson')).exitCode).toBe(0);
  const { stdout } = await box.evicpress(...args, '-');
  expect(`${stdout}\n`).toBe(readFileSync(box.path('keyed.ndjson'), 'utf8'));
});
