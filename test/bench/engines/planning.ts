import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UNCOMPRESSED } from '../../../src/formats/names.js';
import { readPlan, writePlan } from '../../../src/formats/plan.js';
import { reviewApply } from '../../../src/workflows/generations.js';
import { handPlan } from '../../engines/plans.js';
import { type StackState, until } from '../../engines/stack.js';
import { Arm, type Budgets, CHUNK_TOKENS, MODEL_NAME, signalGroup, stagingBytes } from './arms.js';
import type { BenchContext, BenchRequest } from './requests.js';

/** Half a request nobody has made, for every context: Jeffreys' prior of a count, so that unseen is not never. */
const PRIOR_ACCESSES = 0.5;

/**
 * Puts a plan without contexts in force, so that the warm-up keeps the same budgets as every other arm: what comes
 * is kept uncompressed, least recently used first out.
 */
export async function publishEmptyPlan(arm: Arm, budgets: Budgets, folder: string): Promise<void> {
  if (existsSync(join(arm.stateFolder, 'in-force.ndjson'))) return;
  const path = join(folder, `${arm.name}.empty.ndjson`);
  const reservedBytes = stagingBytes(budgets);
  const tier = { usedBytes: 0, price: 0 };
  const tiers = [
    { ...tier, name: 'dram', capacityBytes: budgets.memoryBytes - reservedBytes, reservedBytes },
    { ...tier, name: 'ssd', capacityBytes: budgets.diskBytes },
  ];
  await writePlan(path, { ...handPlan(1, []).header, model: MODEL_NAME, tiers }, []);
  await (await reviewApply(arm.stateFolder, path)).carryOut();
  await until(async () => (await arm.stack.status()).generation !== null, 30);
}

/**
 * Plans as a user would, with the command line, from what the warm-up asked for, starts the LMCache server anew
 * with the memory split as the plan wants it, as `evicpress export` would write it down, and waits until the
 * server has done what the plan says. What lay in L1 is lost by that.
 * @returns the state of the stack with the new server.
 */
export async function planFromWarmUp(
  arm: Arm,
  contexts: readonly BenchContext[],
  requests: readonly BenchRequest[],
  budgets: Budgets,
  {
    folder,
    profiles,
    objective,
    running,
  }: { folder: string; profiles: string; objective: readonly string[]; running: StackState },
): Promise<StackState> {
  // The first pass over all contexts says nothing about how often each is asked for.
  const asked = requests.slice(contexts.length);
  const counts = contexts.map((_, i) => asked.filter(({ context }) => context === i).length);
  const rows = contexts.map(({ context, tokens, hashes }, i) => ({
    context,
    tokens: tokens.length,
    accesses: counts[i]! + PRIOR_ACCESSES,
    keys: { engine: 'lmcache', chunkSize: CHUNK_TOKENS, hashes },
  }));
  const path = join(folder, `${arm.name}.contexts.ndjson`);
  writeFileSync(
    path,
    [{ format: 'evicpress.contexts', version: 1 }, ...rows].map((row) => `${JSON.stringify(row)}\n`).join(''),
  );
  const tiers = join(folder, `${arm.name}.tiers.json`);
  writeFileSync(tiers, reservingStaging(readFileSync(join(profiles, 'tiers.json'), 'utf8'), budgets));
  const plan = join(folder, `${arm.name}.plan.ndjson`);
  evicpress([
    ...['plan', '--contexts', path, '--engine', 'lmcache', ...objective],
    ...['--tiers', tiers, '--methods', join(profiles, 'methods.ndjson')],
    ...['--model', join(profiles, 'model.json')],
    ...['--capacity', `dram=${budgets.memoryBytes}B`, '--capacity', `ssd=${budgets.diskBytes}B`],
    ...['-o', plan],
  ]);
  evicpress(['apply', plan, '--yes', '--state', arm.stateFolder]);
  const split = new Arm(arm.name, folder, budgets, running, await compressedInMemory(plan));
  const [server, ...others] = running.groups;
  signalGroup(server!, 'SIGKILL');
  await until(() => !existsSync(`/proc/${server}`), 60);
  try {
    await split.stack.startServer();
    await until(async () => (await split.stack.registered()) > 0, 300);
  } catch (error) {
    // Nobody else knows of this server yet.
    if (split.stack.server?.pid !== undefined) signalGroup(split.stack.server.pid, 'SIGKILL');
    throw error;
  }
  const placed = async () => {
    const status = await split.stack.status();
    return status.contexts === contexts.length && status.misplaced_chunks === 0;
  };
  // What is still in the wrong place then is measured where it is.
  await until(placed, 90).catch(async () =>
    console.error(
      `${arm.name}: not all is where the plan wants it: ${JSON.stringify(await split.stack.status())}`,
    ),
  );
  return { ...running, groups: [split.stack.server!.pid!, ...others] };
}

/** The tier profile with the room that the engine needs in memory for loads on their way. */
function reservingStaging(text: string, budgets: Budgets): string {
  const profile = JSON.parse(text) as { tiers: { name: string; reservedBytes?: number }[] };
  for (const tier of profile.tiers) if (tier.name === 'dram') tier.reservedBytes = stagingBytes(budgets);
  return JSON.stringify(profile);
}

async function compressedInMemory(plan: string): Promise<number> {
  let bytes = 0;
  for (const { tier, method, storedBytes } of (await readPlan(plan)).rows)
    if (tier === 'dram' && method !== UNCOMPRESSED) bytes += storedBytes;
  return bytes;
}

function evicpress(args: readonly string[]): void {
  const bin = fileURLToPath(new URL('../../../bin/evicpress.js', import.meta.url));
  const { status, stderr, stdout } = spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8' });
  console.error(stdout);
  if (status !== 0) throw new Error(`evicpress ${args.join(' ')}: ${status}\n${stderr}`);
}
