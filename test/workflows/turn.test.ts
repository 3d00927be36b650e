import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EvicpressError, NotMeasurableError } from '../../src/errors.js';
import { readPlan } from '../../src/formats/plan.js';
import { reviewRollback } from '../../src/workflows/generations.js';
import { pastGenerations } from '../../src/workflows/refresh/history.js';
import { readJournal } from '../../src/workflows/refresh/journal.js';
import { takeLock } from '../../src/workflows/refresh/lock.js';
import type { TurnOptions } from '../../src/workflows/refresh/options.js';
import { sweepTemporaries } from '../../src/workflows/refresh/private-files.js';
import { lookOnly, refreshTurn } from '../../src/workflows/refresh/turn.js';
import { classRows, randomFrom } from '../support/instances.js';
import { sampleLog } from '../traces/every-format.js';
import { scratchFolder, testInputs, testOptions, testTools } from './refreshing.js';
import { OFFICE, requestLines } from './workload.js';

/** Quality falls so little that compression is worth it, and differs by class. */
const METHODS = classRows(1, 1, [0.3, 0.5, 0.7], randomFrom(3)).map((row) => ({ ...row, class: undefined }));
const inputs = () => testInputs({ methods: METHODS });

/** Every file of a folder with its bytes. */
function snapshot(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files[path.slice(folder.length + 1)] = `${statSync(path).mtimeMs} ${readFileSync(path, 'latin1')}`;
  }
  return files;
}

function started(count = 600): TurnOptions {
  const options = testOptions(scratchFolder());
  writeFileSync(options.log, requestLines(OFFICE, count));
  return options;
}

const inForcePath = (options: TurnOptions) => join(options.folder, 'in-force.ndjson');

describe('a turn of refresh', () => {
  it('publishes the first plan, whole, with rules for contexts nobody has seen', async () => {
    const options = started();
    const result = await refreshTurn(options, testTools(inputs));
    expect(result).toMatchObject({ outcome: 'published', generation: 1, newRequests: 600 });
    const plan = await readPlan(inForcePath(options));
    expect(plan.header.rules.classes?.map((rule) => rule.class)).toEqual([undefined, 'office']);
    expect(plan.rows.length).toBe(plan.header.summary.contexts);
  });

  it('plans what the engine can carry out, in its own keys, with what it needs for the unseen', async () => {
    const options = { ...testOptions(scratchFolder()), engine: 'lmcache' };
    writeFileSync(options.log, sampleLog('lmcache', 60));
    const rows = (method: string, quality: number) => ({ ...METHODS[0]!, method, quality });
    const offered = () => testInputs({ methods: [rows('keydiff', 1), rows('int4', 0.9999)] });
    await refreshTurn(options, testTools(offered));
    const { header, rows: placed } = await readPlan(inForcePath(options));
    expect(new Set(placed.map((row) => row.method))).not.toContain('keydiff');
    expect(placed.flatMap((row) => row.keys?.hashes)).toContain('0xab');
    expect(placed[0]!.keys).toMatchObject({ engine: 'lmcache', chunkSize: 256 });
    expect(header.rules.prefillSecondsPerToken).toBeGreaterThan(0);
    expect(header.rules.classes!.length).toBeGreaterThan(0);
  });

  it('changes no file but its heartbeat when nothing is new', async () => {
    const options = started();
    await refreshTurn(options, testTools(inputs));
    const before = snapshot(options.folder);
    expect((await refreshTurn(options, testTools(inputs))).outcome).toBe('idle');
    const after = snapshot(options.folder);
    const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
    expect(changed).toEqual(['metrics/evicpress-heartbeat.prom']);
    expect(Object.keys(after)).toEqual(Object.keys(before));
  });

  it('keeps the plan in force while the load stays what it was', async () => {
    const options = started();
    await refreshTurn(options, testTools(inputs));
    appendFileSync(options.log, requestLines(OFFICE, 300, { startSeconds: 1200, seed: 2 }));
    expect(await refreshTurn(options, testTools(inputs))).toMatchObject({ outcome: 'kept', generation: 1 });
  });

  it('publishes again when other content has become popular, and says why', async () => {
    const options = { ...started(), solver: 'greedy-per-byte' };
    await refreshTurn(options, testTools(inputs));
    const moved = { ...OFFICE, firstBlock: 500_000 };
    appendFileSync(options.log, requestLines(moved, 2000, { startSeconds: 1200, seed: 2 }));
    const result = await refreshTurn(options, testTools(inputs));
    expect(result).toMatchObject({ outcome: 'published', generation: 2 });
    expect(result.reason).toContain('the least gain is 1.0 %');
    const unseen = result.drift.find(({ check }) => check === 'unseen');
    expect(unseen).toMatchObject({ drifted: true });
    const entries = await readJournal(options.folder);
    expect(entries.map(({ event }) => event)).toEqual(['published', 'published']);
  });

  it('keeps to a floor of quality, also for a class', async () => {
    const options = { ...started(), alpha: 0.01 };
    const floor = { minQualityOfClass: { office: 0.99 } };
    await refreshTurn({ ...options, constraints: floor }, testTools(inputs));
    const { rows } = await readPlan(inForcePath(options));
    expect(Math.min(...rows.map((row) => row.quality))).toBeGreaterThanOrEqual(0.99);
    const free = { ...started(), alpha: 0.01 };
    await refreshTurn(free, testTools(inputs));
    const unbound = await readPlan(inForcePath(free));
    expect(Math.min(...unbound.rows.map((row) => row.quality))).toBeLessThan(0.99);
  });

  it('publishes at once when a plan must keep to something else, and not again', async () => {
    const options = started();
    await refreshTurn(options, testTools(inputs));
    const bound = { ...options, constraints: { bandwidthShare: 0.3, forbidden: [] } };
    const tools = () => testTools(inputs, { identity: async () => ({ flags: '2' }) });
    expect(await refreshTurn(bound, tools())).toMatchObject({
      outcome: 'published',
      reason: expect.stringMatching(/must keep to has changed/),
    });
    appendFileSync(options.log, requestLines(OFFICE, 50));
    expect(await refreshTurn(bound, tools())).toMatchObject({ outcome: 'kept' });
  });

  it('leaves the plan in force alone when demands contradict one another, and names them', async () => {
    const options = started();
    await refreshTurn(options, testTools(inputs));
    const before = readFileSync(inForcePath(options));
    appendFileSync(options.log, requestLines(OFFICE, 100));
    const constraints = { minQuality: 0.99, forbidden: ['recompute', 'dram', 'ssd'] };
    await expect(refreshTurn({ ...options, constraints }, testTools(inputs))).rejects.toThrow(/recompute/);
    expect(readFileSync(inForcePath(options))).toEqual(before);
  });

  it('moves fewer bytes the more moving costs', async () => {
    const [dram, ssd] = inputs().tiers;
    const fast = { latencySeconds: 0.001, bytesPerSecond: 10e9 };
    const tiers = [
      { ...dram!, capacityBytes: 1e9 },
      { ...ssd!, read: fast },
    ];
    const close = () => testInputs({ methods: METHODS, tiers });
    const moved: number[] = [];
    for (const secondsPerGb of [0, 1e6]) {
      const options = { ...started(), migrationSecondsPerByte: secondsPerGb / 1e9 };
      await refreshTurn(options, testTools(close));
      const later = requestLines({ ...OFFICE, shift: 20 }, 150, { startSeconds: 1200, seed: 2 });
      appendFileSync(options.log, later);
      const { candidate } = await refreshTurn(options, testTools(close));
      moved.push(candidate!.comparison!.bytesToMove);
    }
    expect(moved[0]).toBeGreaterThan(0);
    expect(moved[1]).toBe(0);
  });

  it('writes nothing at all in a dry run', async () => {
    const options = started();
    const dry = await refreshTurn({ ...options, dryRun: true }, testTools(inputs));
    expect(dry).toMatchObject({ outcome: 'published', generation: 1 });
    expect(existsSync(options.folder)).toBe(false);
    expect(await refreshTurn(options, testTools(inputs))).toMatchObject({ newRequests: 600 });
  });

  it('puts a damaged plan back, and takes an altered one for damaged', async () => {
    const options = started();
    await refreshTurn(options, testTools(inputs));
    const whole = readFileSync(inForcePath(options), 'utf8');
    for (const damage of [whole.slice(0, -100), whole.replace('"method":"none"', '"method":"nope"'), '']) {
      writeFileSync(inForcePath(options), damage);
      const result = await refreshTurn(options, testTools(inputs));
      expect(result.notes.join()).toContain('generation 1 was put back');
      expect(readFileSync(inForcePath(options), 'utf8')).toBe(whole);
    }
  });

  it('plans anew at once when another model is served, and says that the plan was invalid', async () => {
    const options = started();
    await refreshTurn(options, testTools(inputs));
    const other = { ...inputs().model, name: 'other-8b' };
    const result = await refreshTurn(
      options,
      testTools(() =>
        testInputs({ methods: METHODS, model: other, files: [{ path: 'tiers.json', sha256: 'b' }] }),
      ),
    );
    expect(result).toMatchObject({ outcome: 'published', generation: 2 });
    expect(result.reason).toContain(
      'the model is other-8b now, the plan in force was made for test-8b: it is invalid',
    );
  });

  it('leaves the plan in force alone when the profiles cannot be used, and keeps what it read', async () => {
    const options = started();
    await refreshTurn(options, testTools(inputs));
    const plan = readFileSync(inForcePath(options), 'utf8');
    appendFileSync(options.log, requestLines(OFFICE, 50, { startSeconds: 1200, seed: 2 }));
    const broken = testTools(inputs, {
      loadInputs: async () => {
        throw new EvicpressError('tiers.json: no such file.');
      },
    });
    await expect(refreshTurn(options, broken)).rejects.toThrow('tiers.json');
    expect(readFileSync(inForcePath(options), 'utf8')).toBe(plan);
    expect((await readJournal(options.folder)).at(-1)).toMatchObject({ event: 'failed' });
    const next = await refreshTurn(options, testTools(inputs));
    expect(next.newRequests).toBe(0);
    expect(next.outcome).toBe('kept');
  });

  it('moves away from a tier that is gone, and corrects one that got slow', async () => {
    const [dram, ssd] = inputs().tiers.map((entry) => ({ ...entry, source: 'measured' as const }));
    const fast = { latencySeconds: 0.001, bytesPerSecond: 10e9 };
    const measured = () =>
      testInputs({
        methods: METHODS,
        tiers: [
          { ...dram!, capacityBytes: 0.3e9 },
          { ...ssd!, read: fast },
        ],
      });
    const options = { ...started(), probeEverySeconds: 60 };
    await refreshTurn(options, testTools(measured));
    expect((await readPlan(inForcePath(options))).rows.map((row) => row.tier)).toContain('ssd');
    const later = (minutes: number) => () => new Date(Date.parse('2026-03-01T00:00:00Z') + minutes * 60_000);
    const slow = await refreshTurn(
      options,
      testTools(measured, {
        now: later(2),
        measureTier: async (entry) =>
          entry.name === 'dram' ? { ...entry, read: { ...entry.read, bytesPerSecond: 1e9 } } : entry,
      }),
    );
    expect(slow.drift.find(({ subject }) => subject === 'dram')).toMatchObject({
      drifted: true,
      value: expect.closeTo(20),
    });
    const state = JSON.parse(readFileSync(join(options.folder, 'state.json'), 'utf8'));
    expect(state.tierCorrections.dram.read.bytesPerSecond).toBe(1e9);
    const busy = await refreshTurn(
      options,
      testTools(measured, {
        now: later(3),
        measureTier: async (entry) => {
          throw new NotMeasurableError(`Tier ${entry.name}: no room for test data.`);
        },
      }),
    );
    expect(busy.drift.filter(({ check }) => check === 'tier-speed')).toMatchObject([
      { drifted: false, gone: false },
      { drifted: false, gone: false },
    ]);
    const gone = await refreshTurn(
      options,
      testTools(measured, {
        now: later(4),
        measureTier: async (entry) => {
          if (entry.name === 'ssd') throw new EvicpressError('/mnt/nvme: no such folder.');
          return entry;
        },
      }),
    );
    expect(gone.outcome).toBe('published');
    const plan = await readPlan(inForcePath(options));
    expect(plan.rows.filter((row) => row.tier === 'ssd')).toEqual([]);
  });

  it('holds new plans back after a rollback, until the hold ends or somebody resumes', async () => {
    const options = { ...started(), solver: 'greedy-per-byte' };
    await refreshTurn(options, testTools(inputs));
    const moved = { ...OFFICE, firstBlock: 500_000 };
    appendFileSync(options.log, requestLines(moved, 2000, { startSeconds: 1200, seed: 2 }));
    await refreshTurn(options, testTools(inputs));
    const back = await reviewRollback(options.folder);
    expect(back.generation).toBe(1);
    await back.carryOut();
    const withdrawn = new Date();
    const held = await refreshTurn(options, testTools(inputs, { now: () => withdrawn }));
    expect(held).toMatchObject({ outcome: 'held', generation: 1 });
    expect((await pastGenerations(options.folder)).map(({ inForce }) => inForce)).toEqual([true, false]);
    const resumed = await refreshTurn(
      { ...options, resume: true },
      testTools(inputs, { now: () => withdrawn }),
    );
    expect(resumed).toMatchObject({ outcome: 'published', generation: 3 });
  });

  it("takes clocks that jump, its own and the log's, as they come", async () => {
    const options = started();
    const at = (date: string) => testTools(inputs, { now: () => new Date(date) });
    await refreshTurn(options, at('2026-03-01T00:00:00Z'));
    const before = (await readPlan(inForcePath(options))).rows.reduce((sum, row) => sum + row.accesses, 0);
    const year = 365 * 86_400;
    for (const [now, startSeconds] of [
      ['2020-01-01T00:00:00Z', year],
      ['2040-01-01T00:00:00Z', 0],
      ['2026-03-01T00:05:00Z', 1300],
    ] as const) {
      appendFileSync(options.log, requestLines(OFFICE, 40, { startSeconds, seed: 3 + startSeconds }));
      const { candidate, newRequests } = await refreshTurn(options, at(now));
      expect(newRequests).toBe(40);
      const after = candidate!.rows.reduce((sum, row) => sum + row.accesses, 0);
      expect(after / before).toBeGreaterThan(0.01);
      expect(after / before).toBeLessThan(100);
    }
    const state = JSON.parse(readFileSync(join(options.folder, 'state.json'), 'utf8'));
    expect(state.requests.counted).toBe(720);
  });

  it('writes no location of a tier anywhere, where a password may be', async () => {
    const options = { ...started(), probeEverySeconds: 60 };
    const secret = () =>
      testInputs({
        methods: METHODS,
        tiers: inputs().tiers.map((entry) => ({
          ...entry,
          source: 'measured' as const,
          location: 'redis://user:hunter2@127.0.0.1',
        })),
      });
    const slow = testTools(secret, {
      measureTier: async (entry) => ({ ...entry, read: { ...entry.read, bytesPerSecond: 1e6 } }),
    });
    const { drift } = await refreshTurn(options, slow);
    expect(drift.some(({ drifted }) => drifted)).toBe(true);
    expect(JSON.stringify(snapshot(options.folder))).not.toContain('hunter2');
    expect(slow.told.join()).not.toContain('hunter2');
  });

  it('shows drift without acting', async () => {
    const options = started();
    await refreshTurn(options, testTools(inputs));
    appendFileSync(
      options.log,
      requestLines({ ...OFFICE, firstBlock: 500_000 }, 500, { startSeconds: 1200, seed: 2 }),
    );
    const before = snapshot(options.folder);
    const findings = await lookOnly({ ...options, dryRun: true }, testTools(inputs));
    expect(findings.find(({ check }) => check === 'unseen')).toMatchObject({ drifted: true });
    expect(snapshot(options.folder)).toEqual(before);
  });

  it('says what it promised and what came of it', async () => {
    const options = started();
    await refreshTurn(options, testTools(inputs));
    appendFileSync(options.log, requestLines(OFFICE, 300, { startSeconds: 1200, seed: 2 }));
    const { candidate } = await refreshTurn(options, testTools(inputs));
    const [first] = await pastGenerations(options.folder);
    expect(first?.expected?.meanTtftSeconds).toBeGreaterThan(0);
    expect(first?.seen?.meanTtftSeconds).toBe(candidate?.comparison?.old.meanTtftSeconds);
  });
});

describe('the state folder', () => {
  it('is for its owner alone, except for what others must read', async () => {
    const options = started();
    await refreshTurn(options, testTools(inputs));
    const open = readdirSync(options.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && (statSync(join(entry.parentPath, entry.name)).mode & 0o077) !== 0)
      .map((entry) => entry.name)
      .sort();
    expect(open).toEqual(['000001.ndjson', 'evicpress-heartbeat.prom', 'evicpress.prom', 'in-force.ndjson']);
  });

  it('is migrated from its first version, and refused from a newer one', async () => {
    const options = started(300);
    await refreshTurn(options, testTools(inputs));
    const path = join(options.folder, 'state.json');
    const state = JSON.parse(readFileSync(path, 'utf8'));
    const { promise, inputs: _, tierProbes, tierChecks, tierCorrections, decidedAtRequest, ...first } = state;
    writeFileSync(path, JSON.stringify({ ...first, version: 1 }));
    const migrated = await refreshTurn(options, testTools(inputs));
    expect(migrated).toMatchObject({ newRequests: 0, outcome: 'kept' });
    expect(JSON.parse(readFileSync(path, 'utf8')).version).toBe(2);
    writeFileSync(path, JSON.stringify({ ...state, version: 3 }));
    await expect(refreshTurn(options, testTools(inputs))).rejects.toThrow(/version 3.*Update evicpress/);
    expect(JSON.parse(readFileSync(path, 'utf8')).version).toBe(3);
  });

  it.each(['{"format":"evicpress.state"', '[]', 'null', '{"version":2}', '\u0000'])(
    'reads the log again where the state is damaged: %j',
    async (damage) => {
      const options = started(300);
      await refreshTurn(options, testTools(inputs));
      writeFileSync(join(options.folder, 'state.json'), damage);
      const result = await refreshTurn(options, testTools(inputs));
      expect(result).toMatchObject({ newRequests: 300, outcome: 'kept' });
      expect(JSON.parse(readFileSync(join(options.folder, 'state.json'), 'utf8')).requests.counted).toBe(300);
    },
  );

  it('goes on without a part of the window that was deleted', async () => {
    const options = started(300);
    await refreshTurn(options, testTools(inputs));
    writeFileSync(join(options.folder, 'window', '000001.jsonl'), 'cut');
    appendFileSync(options.log, requestLines(OFFICE, 200, { startSeconds: 1200, seed: 2 }));
    const result = await refreshTurn(options, testTools(inputs));
    expect(result.notes.join()).toContain('000001.jsonl of the recent requests is damaged');
    expect(result.newRequests).toBe(200);
  });
});

it('sweeps what dead runs left half-written in the folder and the ones in it, and looks no deeper', async () => {
  const folder = scratchFolder();
  const left = '.state.json.999999999.0123abcd.tmp';
  const alive = `.state.json.${process.ppid}.0123abcd.tmp`;
  mkdirSync(join(folder, 'generations/deep'), { recursive: true });
  for (const name of [left, alive, `generations/${left}`, `generations/deep/${left}`, 'mine.tmp'])
    writeFileSync(join(folder, name), '');
  await sweepTemporaries(folder);
  expect(readdirSync(folder, { recursive: true }).map(String).sort()).toEqual(
    [alive, 'generations', 'generations/deep', `generations/deep/${left}`, 'mine.tmp'].sort(),
  );
});

describe('the lock', () => {
  it('is not shared, and the second run leaves with exit code 4', async () => {
    const options = started(50);
    const lock = await takeLock(options.folder);
    const error = await refreshTurn(options, testTools(inputs)).catch((fault: EvicpressError) => fault);
    expect(error).toMatchObject({ exitCode: 4, message: expect.stringContaining(`process ${process.pid}`) });
    await lock.release();
    expect((await refreshTurn(options, testTools(inputs))).outcome).toBe('published');
  });

  it('of a dead process is taken over, of a live one never', async () => {
    const folder = scratchFolder();
    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
    const lock = await takeLock(folder);
    const owner = JSON.parse(readFileSync(join(folder, 'lock-owner.json'), 'utf8'));
    await lock.release();
    const started = readFileSync(`/proc/${other.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19];
    mkdirSync(join(folder, 'lock'));
    writeFileSync(join(folder, 'lock-owner.json'), JSON.stringify({ ...owner, pid: other.pid, started }));
    await expect(takeLock(folder)).rejects.toMatchObject({ exitCode: 4 });
    const ended = new Promise((resolve) => other.once('exit', resolve));
    other.kill('SIGKILL');
    await ended;
    const takers = await Promise.allSettled(Array.from({ length: 5 }, () => takeLock(folder)));
    expect(takers.filter(({ status }) => status === 'fulfilled').length).toBe(1);
  });

  it('of an earlier process with the same number is taken over', async () => {
    const folder = scratchFolder();
    const lock = await takeLock(folder);
    const owner = JSON.parse(readFileSync(join(folder, 'lock-owner.json'), 'utf8'));
    await lock.release();
    mkdirSync(join(folder, 'lock'));
    writeFileSync(join(folder, 'lock-owner.json'), JSON.stringify({ ...owner, started: '1' }));
    await (await takeLock(folder)).release();
  });
});
