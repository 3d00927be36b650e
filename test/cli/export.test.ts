import { readFileSync } from 'node:fs';
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
