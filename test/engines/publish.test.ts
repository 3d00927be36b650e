import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Placement, readPlan, writePlan } from '../../src/formats/plan.js';
import { reviewApply, reviewRollback } from '../../src/workflows/generations.js';
import { planDifference } from '../../src/workflows/plan-difference.js';
import { handPlan, rowAt } from './plans.js';

const folderOf = () => mkdtempSync(join(tmpdir(), 'evicpress-'));

async function planFile(folder: string, generation: number, rows: readonly Placement[]): Promise<string> {
  const path = join(folder, `plan-${generation}.ndjson`);
  await writePlan(path, handPlan(generation, rows).header, rows);
  return path;
}

const OLD = [
  rowAt('stays', 'dram', 'none', 1),
  rowAt('moves', 'dram', 'none', 2),
  rowAt('shrinks', 'nvme', 'none', 4),
  rowAt('grows', 'nvme', 'int4', 8),
  rowAt('goes', 'nvme', 'none', 16),
  rowAt('was-away', 'recompute', 'none', 0),
];
const NEW = [
  rowAt('stays', 'dram', 'none', 1),
  rowAt('moves', 'nvme', 'none', 2),
  rowAt('shrinks', 'nvme', 'int8', 2),
  rowAt('grows', 'nvme', 'none', 32),
  rowAt('was-away', 'dram', 'none', 64),
  rowAt('is-away', 'recompute', 'none', 0),
];

describe('the difference of two plans', () => {
  it('names what is stored, moved, compressed, made whole and dropped, with its bytes', () => {
    const { kept, changes } = planDifference(handPlan(1, OLD), handPlan(2, NEW));
    expect(changes.map(({ change, contexts, bytes }) => [change, contexts, bytes])).toEqual([
      ['add', 1, 64],
      ['move', 1, 2],
      ['recompress', 1, 2],
      ['make-whole', 1, 32],
      ['drop', 1, 16],
    ]);
    // What stays where it is, and what is kept nowhere before and after.
    expect(kept).toBe(2);
  });
});

describe('apply and rollback', () => {
  it('publish exactly the reviewed plan, keep the earlier ones, and go back', async () => {
    const folder = folderOf();
    const state = join(folder, 'state');
    const first = await planFile(folder, 1, OLD);
    const second = await planFile(folder, 2, NEW);
    await (await reviewApply(state, first)).carryOut();
    const change = await reviewApply(state, second);
    expect(change.inForce).toBe(1);
    expect((await readPlan(change.inForcePath)).rows).toEqual(OLD);
    await change.carryOut();
    expect(readFileSync(change.inForcePath)).toEqual(readFileSync(second));
    const back = await reviewRollback(state);
    expect(back.generation).toBe(1);
    await back.carryOut();
    expect((await readPlan(change.inForcePath)).rows).toEqual(OLD);
    await expect(reviewRollback(state)).rejects.toThrow(/no earlier plan/);
    expect((await reviewRollback(state, 2)).generation).toBe(2);
    await expect(reviewRollback(state, 9)).rejects.toThrow(/Pick one of: 1, 2/);
  });

  it('number a plan on where its own number is taken', async () => {
    const folder = folderOf();
    const state = join(folder, 'state');
    await (await reviewApply(state, await planFile(folder, 5, OLD))).carryOut();
    const again = await reviewApply(state, await planFile(folder, 1, NEW));
    expect(again.generation).toBe(6);
  });

  it('refuse a review that another plan has overtaken', async () => {
    const folder = folderOf();
    const state = join(folder, 'state');
    await (await reviewApply(state, await planFile(folder, 1, OLD))).carryOut();
    const late = await reviewApply(state, await planFile(folder, 2, NEW));
    await (await reviewApply(state, await planFile(folder, 3, OLD))).carryOut();
    await expect(late.carryOut()).rejects.toThrow(/since the review/);
  });

  it('refuse a plan that is cut short, and leave nothing behind', async () => {
    const folder = folderOf();
    const path = await planFile(folder, 1, OLD);
    writeFileSync(path, readFileSync(path).subarray(0, -40));
    await expect(reviewApply(join(folder, 'state'), path)).rejects.toThrow(/plan-1/);
    expect(existsSync(join(folder, 'state'))).toBe(false);
  });
});

describe('on the command line', () => {
  const bin = new URL('../../bin/evicpress.js', import.meta.url).pathname;
  const built = existsSync(new URL('../../dist/cli.js', import.meta.url));

  it.skipIf(!built)('apply asks nobody without a terminal, and says what to pass', async () => {
    const folder = folderOf();
    const path = await planFile(folder, 1, OLD);
    const asked = spawnSync(process.execPath, [bin, 'apply', path], {
      cwd: folder,
      input: '',
      encoding: 'utf8',
    });
    expect(asked.status).toBe(1);
    expect(asked.stderr).toContain('Pass --yes');
    expect(existsSync(join(folder, '.evicpress/state/in-force.ndjson'))).toBe(false);
    const out = execFileSync(process.execPath, [bin, 'apply', path, '--yes', '--json'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(JSON.parse(out)).toMatchObject({ generation: 1, carriedOut: true });
    expect(existsSync(join(folder, '.evicpress/state/in-force.ndjson'))).toBe(true);
  });

  it.skipIf(!built)('export writes its files and says what is not carried out', async () => {
    const folder = folderOf();
    const path = await planFile(folder, 1, [...NEW, rowAt('dropped', 'dram', 'keydiff', 9)]);
    const out = execFileSync(
      process.execPath,
      [bin, 'export', '--engine', 'lmcache', '--plan', path, '-o', join(folder, 'out')],
      {
        cwd: folder,
        encoding: 'utf8',
      },
    );
    expect(out).toContain('Not carried out: 1 contexts, no keydiff');
    expect(readdirSync(join(folder, 'out')).sort()).toEqual(['README.txt', 'lmcache-server.sh', 'vllm.sh']);
  });
});
