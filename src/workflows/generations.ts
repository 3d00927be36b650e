import { join } from 'node:path';
import { EvicpressError } from '../errors.js';
import { RESULTS_FOLDER } from '../formats/bundled.js';
import { type Plan, readPlan } from '../formats/plan.js';
import { type PlanDifference, planDifference } from './plan-difference.js';
import { takeLock } from './refresh/lock.js';
import { type GenerationRecord, PlanStore, type StoreState } from './refresh/plan-store.js';

/** Where plans are published unless told otherwise: the folder `refresh` works in, so that both see one plan. */
export const PUBLISH_FOLDER = join(RESULTS_FOLDER, 'state');

/** A change of the plan in force, reviewed but not yet made. */
export interface Change {
  /** The generation that would be put in force, and the one that is. */
  readonly generation: number;
  readonly inForce: number | undefined;
  readonly inForcePath: string;
  readonly difference: PlanDifference;
  /** What the plans are for; null where they do not say, or none is in force. */
  readonly models: { readonly plan: string | null; readonly inForce: string | null };
  readonly repairs: readonly string[];
  /**
   * Makes exactly this change, under the folder's lock.
   * @throws EvicpressError where another plan has come into force since the review, or it cannot be written.
   */
  carryOut(): Promise<void>;
}

/** The plan in force in a folder; undefined where none was published, or none is whole. @throws EvicpressError */
export async function planInForce(folder: string): Promise<Plan | undefined> {
  const store = new PlanStore(folder);
  const { inForce } = await store.open(false);
  return inForce === undefined ? undefined : store.read(inForce);
}

/** What publishing a plan would change. @throws EvicpressError where the plan is not whole and valid. */
export async function reviewApply(folder: string, planPath: string): Promise<Change> {
  const plan = await readPlan(planPath);
  const store = new PlanStore(folder);
  const reviewed = await store.open(false);
  const { inForce, repairs } = reviewed;
  const before = inForce === undefined ? undefined : await store.read(inForce);
  const generation = Math.max(plan.header.generation, await store.nextGeneration());
  return {
    generation,
    inForce: inForce?.generation,
    inForcePath: store.inForcePath,
    difference: planDifference(before, plan),
    models: { plan: plan.header.model, inForce: before?.header.model ?? null },
    repairs,
    carryOut: () =>
      underLock(folder, store, reviewed, async () => {
        await store.publish({ ...plan.header, generation }, plan.rows, {
          publishedAt: new Date().toISOString(),
          reason: 'apply',
        });
      }),
  };
}

/**
 * What going back would change.
 * @param to a generation; without it the one published before the one in force.
 * @throws EvicpressError where there is none, or it is damaged.
 */
export async function reviewRollback(folder: string, to?: number): Promise<Change> {
  const store = new PlanStore(folder);
  const reviewed = await store.open(false);
  const { inForce, repairs } = reviewed;
  const records = await store.records();
  const current = inForce?.generation ?? Number.POSITIVE_INFINITY;
  const target =
    to === undefined
      ? records.findLast((record) => record.generation < current)
      : records.find((record) => record.generation === to);
  if (target === undefined) throw nothingToGoBackTo(folder, to, records);
  const plan = await readPlan(store.pathOf(target.generation));
  const before: Plan | undefined = inForce === undefined ? undefined : await store.read(inForce);
  return {
    generation: target.generation,
    inForce: inForce?.generation,
    inForcePath: store.inForcePath,
    difference: planDifference(before, plan),
    models: { plan: plan.header.model, inForce: before?.header.model ?? null },
    repairs,
    carryOut: () => underLock(folder, store, reviewed, () => store.goBack(target.generation, new Date())),
  };
}

async function underLock(
  folder: string,
  store: PlanStore,
  reviewed: StoreState,
  act: () => Promise<void>,
): Promise<void> {
  const lock = await takeLock(folder);
  try {
    const { inForce } = await store.open(true);
    const expected = reviewed.inForce?.record.fileSha256;
    // Where the plan in force was damaged, none was seen in the review, and the one put back now is no news.
    const wasDamaged = expected === undefined && reviewed.repairs.length > 0;
    if (!wasDamaged && inForce?.record.fileSha256 !== expected) {
      throw new EvicpressError(
        `Generation ${inForce?.generation ?? 'none'} has come into force since the review. Look at the difference again.`,
      );
    }
    await act();
  } finally {
    await lock.release();
  }
}

function nothingToGoBackTo(
  folder: string,
  to: number | undefined,
  records: readonly GenerationRecord[],
): EvicpressError {
  const known = records.map((record) => record.generation).join(', ');
  return new EvicpressError(
    to === undefined
      ? `${folder}: no earlier plan is kept. ${known === '' ? 'Publish one with `evicpress apply PLAN`.' : `Kept: generation ${known}.`}`
      : `${folder}: generation ${to} is not kept. ${known === '' ? 'Nothing has been published yet.' : `Pick one of: ${known}.`}`,
  );
}
