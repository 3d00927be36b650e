import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sandbox } from '../support/cli.js';
import { noSmallDisk, SmallDisk } from '../support/small-disk.js';

const why = noSmallDisk();

describe.skipIf(why !== undefined)(
  `a disk that fails${why === undefined ? '' : ` (skipped: ${why})`}`,
  () => {
    const box = sandbox();
    let disk: SmallDisk;
    beforeEach(() => {
      disk = new SmallDisk(300);
    });
    afterEach(() => disk.remove());
    const measure = (...more: string[]) =>
      box.evicpress(
        'profile',
        'tiers',
        '--tier',
        `disk=file:${disk.folder}`,
        '-o',
        'tiers.json',
        '--scratch',
        '128MB',
        ...more,
      );
    const left = () => readdirSync(disk.folder).filter((name) => name !== 'lost+found');

    it('because it is read-only is refused in one line, also for root', async () => {
      disk.makeReadOnly();
      const { exitCode, stderr } = await measure('--quick');
      expect(exitCode).toBe(1);
      expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/read-only/)]);
    });

    it('because it is full is refused in one line', async () => {
      fill(disk.folder);
      const { exitCode, stderr } = await measure('--quick');
      expect(exitCode).toBe(1);
      expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/room|free|full/)]);
      expect(left()).toEqual(['filler']);
    });

    it('because others fill it meanwhile leaves nothing of ours behind', { timeout: 60_000 }, async () => {
      const measuring = measure('--seconds-per-tier', '6');
      await sleep(2500);
      fill(disk.folder);
      const { exitCode, stderr } = await measuring;
      // Room for the test data is taken at the beginning: what comes later cannot make it fail.
      expect([exitCode, stderr]).toEqual([0, expect.not.stringMatching(/Error|ENOSPC/)]);
      expect(left()).toEqual(['filler']);
    });
  },
);

/** Takes every byte that is left. */
function fill(folder: string): void {
  spawnSync('dd', ['if=/dev/zero', `of=${folder}/filler`, 'bs=1M'], { stdio: 'ignore' });
}
