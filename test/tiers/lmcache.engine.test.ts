import { mkdirSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { PYTHON, whyNot } from '../engines/stack.js';
import { BIN, sandbox } from '../support/cli.js';

const box = sandbox();

/** The real `lmcache bench l2`; skipped where the engines are not installed (test/engines/setup.sh). */
describe.skipIf(whyNot() !== undefined)('a folder through LMCache', () => {
  it('is measured beside the folder itself, and nothing stays behind', async () => {
    mkdirSync(box.path('disk'));
    const { stdout } = await execa(
      process.execPath,
      [
        ...[BIN, 'profile', 'tiers', '--quick', '--json'],
        ...['--tier', 'ssd=file:disk', '--tier', 'l2=lmcache:disk'],
      ],
      { cwd: box.folder, env: { PATH: `${dirname(PYTHON)}:${process.env.PATH}` } },
    );
    const { engines } = JSON.parse(stdout);
    expect(engines).toMatchObject([{ name: 'l2', kind: 'lmcache', source: 'measured' }]);
    expect(engines[0].read.bytesPerSecond).toBeGreaterThan(1e6);
    expect(readdirSync(box.path('disk'))).toEqual([]);
  }, 300_000);
});
