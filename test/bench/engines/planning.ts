import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writePlan } from '../../../src/formats/plan.js';
import { reviewApply } from '../../../src/workflows/generations.js';
import { handPlan } from '../../engines/plans.js';
import { until } from '../../engines/stack.js';
import { type Arm, type Budgets, CHUNK_TOKENS, MODEL_NAME, STAGING_SHARE } from './arms.js';
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
  const tiers = Object.entries(capacitiesOf(budgets)).map(([name, capacityBytes]) => ({
    name,
    capacityBytes,
    usedBytes: 0,
    price: 0,
  }));
  await writePlan(path, { ...handPlan(1, []).header, model: MODEL_NAME, tiers }, []);
  await (await reviewApply(arm.stateFolder, path)).carryOut();
  await until(async () => (await arm.stack.status()).generation !== null, 30);
}

const capacitiesOf = ({ memoryBytes, diskBytes }: Budgets) => ({
  dram: Math.floor(memoryBytes * (1 - STAGING_SHARE)),
  ssd: diskBytes,
});

/**
 * Plans as a user would, with the command line, from what the warm-up asked for, and waits until the server has
 * done what the plan says.
 */
export async function planFromWarmUp(
  arm: Arm,
  contexts: readonly BenchContext[],
  requests: readonly BenchRequest[],
  budgets: Budgets,
  { folder, profiles, alpha }: { folder: string; profiles: string; alpha: string },
): Promise<void> {
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
  const plan = join(folder, `${arm.name}.plan.ndjson`);
  evicpress([
    ...['plan', '--contexts', path, '--engine', 'lmcache', '--alpha', alpha],
    ...['--tiers', join(profiles, 'tiers.json'), '--methods', join(profiles, 'methods.ndjson')],
    ...['--model', join(profiles, 'model.json')],
    ...Object.entries(capacitiesOf(budgets)).flatMap(([tier, bytes]) => ['--capacity', `${tier}=${bytes}B`]),
    ...['-o', plan],
  ]);
  evicpress(['apply', plan, '--yes', '--state', arm.stateFolder]);
  await until(async () => {
    const status = await arm.stack.status();
    return status.contexts === contexts.length && status.misplaced_chunks === 0;
  }, 120);
}

function evicpress(args: readonly string[]): void {
  const bin = fileURLToPath(new URL('../../../bin/evicpress.js', import.meta.url));
  const { status, stderr, stdout } = spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8' });
  console.error(stdout);
  if (status !== 0) throw new Error(`evicpress ${args.join(' ')}: ${status}\n${stderr}`);
}
