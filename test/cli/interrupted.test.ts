import { existsSync, readdirSync } from 'node:fs';
import { execa } from 'execa';
import { expect, it, vi } from 'vitest';
import { sandbox } from '../support/cli.js';

const box = sandbox();
const LIBRARY = new URL('../../dist/index.js', import.meta.url).href;

it('a lock goes with the process that has it, whatever was written meanwhile', async () => {
  const program = `
    import { takeLock, writePlan } from '${LIBRARY}';
    await takeLock('state');
    await writePlan('plan.ndjson', {}, []);
    process.exit(130);
  `;
  box.write('program.mjs', program);
  const { exitCode } = await execa(process.execPath, ['program.mjs'], { cwd: box.folder, reject: false });
  expect(exitCode).toBe(130);
  expect(readdirSync(box.path('state'))).toEqual([]);
});

it.each(['SIGINT', 'SIGTERM'] as const)('a large file that %s ends leaves nothing behind', async (signal) => {
  // Rows without end: it is interrupted while it writes.
  const program = `
    import { writePlan } from '${LIBRARY}';
    const clock = new Int32Array(new SharedArrayBuffer(4));
    function* rows() {
      for (;;) {
        Atomics.wait(clock, 0, 0, 2);
        yield { context: 'c'.repeat(20_000) };
      }
    }
    await writePlan('plan.ndjson', {}, rows());
  `;
  box.write('program.mjs', program);
  const child = execa(process.execPath, ['program.mjs'], { cwd: box.folder, reject: false, timeout: 50_000 });
  await vi.waitFor(() => expect(readdirSync(box.folder).some((name) => name.endsWith('.tmp'))).toBe(true), {
    timeout: 20_000,
  });
  child.kill(signal);
  expect((await child).signal).toBe(signal);
  expect(readdirSync(box.folder)).toEqual(['program.mjs']);
  expect(existsSync(box.path('plan.ndjson'))).toBe(false);
});
