import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import * as library from '../../src/index.js';
import { PACKAGE_ROOT } from '../../src/package-root.js';
import { sandbox } from '../support/cli.js';

const box = sandbox();
const page = readFileSync(join(PACKAGE_ROOT, 'docs/library.md'), 'utf8');

describe('docs/library.md', () => {
  it('shows a program that runs against the built package, and says what the command says', async () => {
    mkdirSync(box.path('node_modules'));
    symlinkSync(PACKAGE_ROOT, box.path('node_modules/evicpress'));
    const log = readFileSync(join(PACKAGE_ROOT, 'profiles/traces/mooncake-conversation-1500.jsonl.gz'));
    box.write('requests.jsonl', gunzipSync(log).toString('utf8'));
    box.write('library.mjs', /```js library\.mjs\n([\s\S]*?)```/.exec(page)![1]!);
    const { stdout } = await execa(process.execPath, ['library.mjs'], { cwd: box.folder });
    const [planned, ...replayed] = stdout.split('\n');

    const inputs = ['--tiers', 'h100-host', '--model', 'llama-3.1-8b', '--capacity', 'dram=40GB'];
    const plan = await box.evicpress(
      'plan',
      '--trace',
      'requests.jsonl',
      ...inputs,
      '--alpha',
      '1',
      '--json',
    );
    const { contexts, meanTtftSeconds } = JSON.parse(plan.stdout).summary;
    expect(planned).toMatch(new RegExp(`^${contexts} contexts, ${meanTtftSeconds.toFixed(4)} s, within `));
    const replay = await box.evicpress(
      'replay',
      'requests.jsonl',
      ...inputs,
      '--policies',
      'lru,belady',
      '--json',
    );
    const { policies } = JSON.parse(replay.stdout) as library.ReplayResult;
    expect(replayed).toEqual(
      policies.map((each) => `${each.policy} ${each.prefixHitRate.toFixed(4)} ${each.ttft.mean.toFixed(3)}`),
    );
  });

  it('names only functions that the library has', () => {
    const table = page.slice(page.indexOf('| stage |'));
    const named = [...table.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((name) => !(name in library))).toEqual([]);
  });
});
