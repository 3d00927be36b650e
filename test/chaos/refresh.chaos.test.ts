import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { readPlan } from '../../src/formats/plan.js';
import { readJournal } from '../../src/workflows/refresh/journal.js';
import { BIN } from '../support/cli.js';
import { randomFrom } from '../support/instances.js';
import { requestLine, scratchFolder, testOptions, windowNumbers } from '../workflows/refreshing.js';

const FAULTS = fileURLToPath(new URL('./faults.mjs', import.meta.url));
/** In CI a fixed number; by hand as many as you like: EVICPRESS_CHAOS_KILLS=300. */
const KILLS = Number(process.env.EVICPRESS_CHAOS_KILLS ?? 40);
const SEED = Number(process.env.EVICPRESS_CHAOS_SEED ?? 1);

/** A world in which refresh runs: a log that grows, a folder, and what was written so far. */
class World {
  readonly options = testOptions(scratchFolder());
  readonly folder = join(this.options.folder, '..');
  written = 0;

  grow(requests: number): void {
    for (let i = 0; i < requests; i++) {
      const document = 10 * (1 + (this.written % 7));
      appendFileSync(this.options.log, requestLine(this.written++, [document, document + 1, document + 2]));
    }
  }

  async refresh(fault = 'none:0', flags: readonly string[] = []) {
    const { exitCode, signal, stderr } = await execa(
      process.execPath,
      [
        ...['--import', FAULTS, BIN, 'refresh', '--trace', this.options.log, '--state', this.options.folder],
        ...['--tiers', 'h100-host', '--model', 'llama-3.1-8b', '--methods', 'none', '--capacity', 'dram=2GB'],
        ...['--capacity', 'ssd=4GB', '--min-gain', '0', '--quiet', ...flags],
      ],
      {
        cwd: this.folder,
        reject: false,
        timeout: 120_000,
        env: { FAULT: fault, FAULT_COUNT: join(this.folder, 'operations') },
      },
    );
    return { exitCode, signal, stderr };
  }

  get inForce(): string {
    return join(this.options.folder, 'in-force.ndjson');
  }

  /** At any moment: the published plan is whole, valid, and one that a turn recorded before it published it. */
  async checkPublished(): Promise<void> {
    if (!existsSync(this.inForce)) return;
    const plan = await readPlan(this.inForce);
    const record = join(
      this.options.folder,
      'generations',
      `${String(plan.header.generation).padStart(6, '0')}.json`,
    );
    const { fileSha256 } = JSON.parse(readFileSync(record, 'utf8'));
    expect(createHash('sha256').update(readFileSync(this.inForce)).digest('hex')).toBe(fileSha256);
  }

  /** After a finished turn: every request counted once, nothing half-written left. */
  async checkRepaired(bad = 0): Promise<void> {
    await this.checkPublished();
    const state = JSON.parse(readFileSync(join(this.options.folder, 'state.json'), 'utf8'));
    expect(state.requests).toEqual({ counted: this.written, bad });
    expect(windowNumbers(this.options, { state })).toEqual(Array.from({ length: this.written }, (_, i) => i));
    const left = readdirSync(this.options.folder, { recursive: true, encoding: 'utf8' });
    expect(left.filter((name) => name.endsWith('.tmp') || name.startsWith('lock'))).toEqual([]);
    for (const entry of await readJournal(this.options.folder)) expect(entry.event).toBeTypeOf('string');
  }
}

describe('refresh under faults', () => {
  it(`survives ${KILLS} kills at random points, with half-written files`, {
    timeout: 60_000 + 30_000 * KILLS,
  }, async () => {
    const random = randomFrom(SEED);
    const world = new World();
    world.grow(40);
    expect((await world.refresh()).exitCode).toBe(0);
    const operations = Number(readFileSync(join(world.folder, 'operations'), 'utf8'));
    expect(operations).toBeGreaterThan(20);
    let killed = 0;
    for (let round = 0; killed < KILLS && round < 3 * KILLS; round++) {
      world.grow(1 + Math.floor(20 * random()));
      if (random() < 0.1) renameSync(world.options.log, `${world.options.log}.${1000 - round}`);
      if (!existsSync(world.options.log)) world.grow(1);
      const { signal } = await world.refresh(`kill:${1 + Math.floor(1.1 * operations * random())}`);
      if (signal === 'SIGKILL') killed++;
      await world.checkPublished();
      if (random() < 0.25) {
        world.grow(1);
        const repaired = await world.refresh();
        expect(repaired).toMatchObject({ exitCode: 0 });
        await world.checkRepaired();
      }
    }
    expect(killed).toBe(KILLS);
    world.grow(1);
    expect((await world.refresh()).exitCode).toBe(0);
    await world.checkRepaired();
  });

  it.each(['ENOSPC', 'EROFS'])(
    'leaves everything as it was on %s, and goes on when it is over',
    async (code) => {
      const random = randomFrom(SEED + 1);
      const world = new World();
      world.grow(40);
      await world.refresh();
      const operations = Number(readFileSync(join(world.folder, 'operations'), 'utf8'));
      for (let round = 0; round < 5; round++) {
        world.grow(10);
        const at = round === 0 ? 1 : 1 + Math.floor(operations * random());
        const outcome = await world.refresh(`${code}:${at}:always`);
        expect([0, 1]).toContain(outcome.exitCode);
        if (round === 0) expect(outcome.exitCode).toBe(1);
        if (outcome.exitCode === 1)
          expect(outcome.stderr).toMatch(code === 'ENOSPC' ? /no space left/ : /read-only/);
        await world.checkPublished();
      }
      world.grow(1);
      expect((await world.refresh()).exitCode).toBe(0);
      await world.checkRepaired();
    },
  );

  it('lets one of many turns at once work, and sends the others away', async () => {
    const world = new World();
    world.grow(200);
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => world.refresh()));
    const codes = outcomes.map(({ exitCode }) => exitCode);
    expect(codes).toContain(0);
    expect(codes.filter((exitCode) => exitCode !== 0 && exitCode !== 4)).toEqual([]);
    await world.checkRepaired();
  });

  it('repairs a damaged plan, a truncated log and a deleted state in the next turn', async () => {
    const world = new World();
    world.grow(60);
    await world.refresh();
    writeFileSync(world.inForce, readFileSync(world.inForce).subarray(0, 1000));
    expect((await world.refresh()).exitCode).toBe(0);
    await world.checkRepaired();

    truncateSync(world.options.log, readFileSync(world.options.log).length - 15);
    appendFileSync(world.options.log, '\n');
    world.grow(5);
    expect((await world.refresh()).exitCode).toBe(0);
    await world.checkRepaired(1);

    rmSync(join(world.options.folder, 'state.json'));
    expect((await world.refresh()).exitCode).toBe(0);
    const state = JSON.parse(readFileSync(join(world.options.folder, 'state.json'), 'utf8'));
    // What the truncation cut off is the log's loss: one line, which is now none.
    expect(state.requests).toEqual({ counted: world.written - 1, bad: 1 });
    await world.checkPublished();
  });

  it('says what is wrong when a profile is gone, and keeps the plan', async () => {
    const world = new World();
    world.grow(60);
    await world.refresh();
    const plan = readFileSync(world.inForce);
    world.grow(5);
    const outcome = await world.refresh('none:0', ['--tiers', join(world.folder, 'gone.json')]);
    expect(outcome).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('gone.json: no such file'),
    });
    expect(readFileSync(world.inForce).equals(plan)).toBe(true);
    expect((await world.refresh()).exitCode).toBe(0);
    await world.checkRepaired();
  });
});
