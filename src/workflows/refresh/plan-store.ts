import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { EvicpressError, errors } from '../../errors.js';
import { jsonText, readText, systemFault } from '../../formats/files.js';
import { type Placement, type Plan, type PlanHeader, readPlan, writePlan } from '../../formats/plan.js';
import { checkShape, count } from '../../formats/schema.js';
import { syncFolder, writeDurably } from './private-files.js';

/** The plan in force, for engines to watch: always whole, replaced by rename. */
export const IN_FORCE = 'in-force.ndjson';
const GENERATIONS = 'generations';
/** So many generations can be gone back to. */
const KEPT = 10;
const PLAN_NAME = /^(\d{6,})\.ndjson$/;

/** Why a generation was published, and what it promised. */
export const generationRecordSchema = z.looseObject({
  generation: count,
  /** Of the plan's file, all its bytes. */
  fileSha256: z.string(),
  publishedAt: z.string(),
  reason: z.string(),
  gain: z.number().optional(),
  /** Set once somebody went back to an older generation. */
  withdrawnAt: z.string().optional(),
});
export type GenerationRecord = z.infer<typeof generationRecordSchema>;

/** The plan in force, checked to be the very bytes that were published. */
export interface PlanInForce {
  readonly generation: number;
  readonly path: string;
  readonly record: GenerationRecord;
}

/** What was found in place of the plan in force, and what was done about it. */
export interface StoreState {
  readonly inForce: PlanInForce | undefined;
  readonly repairs: readonly string[];
}

/** The published plans of a folder: one in force, the last few to go back to. */
export class PlanStore {
  constructor(private readonly folder: string) {}

  get inForcePath(): string {
    return join(this.folder, IN_FORCE);
  }

  /**
   * The plan in force. Damaged or missing, it is restored from its generation, or else the newest whole one.
   * @param act restore it; without it only say so.
   */
  async open(act: boolean): Promise<StoreState> {
    const sha256 = await hashOf(this.inForcePath);
    const records = await this.records();
    const known = records.findLast((record) => record.fileSha256 === sha256);
    if (known !== undefined) {
      if (act) await this.removeUnpublished(known.generation, records);
      return { inForce: this.found(known), repairs: [] };
    }
    if (sha256 === undefined && records.length === 0) return { inForce: undefined, repairs: [] };
    const foreign = sha256 === undefined ? undefined : await this.adopt(sha256, records, act);
    if (foreign !== undefined) return foreign;
    const damage = sha256 === undefined ? 'the plan in force was gone' : 'the plan in force was damaged';
    for (const record of records.toReversed()) {
      if ((await hashOf(this.planPath(record.generation))) !== record.fileSha256) continue;
      if (act) await this.putInForce(record.generation);
      return {
        inForce: act ? this.found(record) : undefined,
        repairs: [`${damage}: generation ${record.generation} was put back`],
      };
    }
    return { inForce: undefined, repairs: [`${damage}, and no generation of it is whole`] };
  }

  /** A whole plan that somebody put there by other means is a generation of its own. */
  private async adopt(
    sha256: string,
    records: readonly GenerationRecord[],
    act: boolean,
  ): Promise<StoreState | undefined> {
    let plan: Plan;
    try {
      plan = await readPlan(this.inForcePath);
    } catch (error) {
      if (error instanceof EvicpressError) return undefined;
      throw error;
    }
    const generation = Math.max(plan.header.generation, (records.at(-1)?.generation ?? 0) + 1);
    const record = {
      generation,
      fileSha256: sha256,
      publishedAt: (await stat(this.inForcePath)).mtime.toISOString(),
      reason: 'put in force by other means than refresh',
    };
    if (act) {
      await copyDurably(this.inForcePath, this.planPath(generation), this.generations);
      await writeDurably(this.recordPath(generation), jsonText(record));
    }
    return { inForce: this.found(record), repairs: [`generation ${generation} was ${record.reason}`] };
  }

  /** @throws EvicpressError where it is not whole. */
  read(inForce: PlanInForce): Promise<Plan> {
    return readPlan(inForce.path);
  }

  /** The number that the next generation gets. */
  async nextGeneration(): Promise<number> {
    const records = await this.records();
    return (records.at(-1)?.generation ?? 0) + 1;
  }

  /**
   * Publishes a plan: its own file first, then its record, then by rename the file in force.
   * @throws EvicpressError when it cannot be written; the plan in force is then as before.
   */
  async publish(
    header: PlanHeader,
    rows: Iterable<Placement>,
    record: Omit<GenerationRecord, 'fileSha256' | 'generation'>,
  ): Promise<PlanInForce> {
    const { generation } = header;
    const path = this.planPath(generation);
    await writePlan(path, header, rows);
    const fileSha256 = (await hashOf(path))!;
    const full = { ...record, generation, fileSha256 } as GenerationRecord;
    await writeDurably(this.recordPath(generation), jsonText(full));
    await this.putInForce(generation);
    await this.forgetOld(generation);
    return this.found(full);
  }

  /** Generations on record, oldest first; records that cannot be read are passed over. */
  async records(): Promise<GenerationRecord[]> {
    const names = await readdir(this.generations).catch(() => [] as string[]);
    const found: GenerationRecord[] = [];
    for (const name of names) {
      const number = PLAN_NAME.exec(name)?.[1];
      if (number === undefined) continue;
      const path = this.recordPath(Number(number));
      try {
        found.push(checkShape(generationRecordSchema, JSON.parse(await readText(path)), path));
      } catch {
        // A turn that was killed before it published leaves a plan without its record.
      }
    }
    return found.sort((a, b) => a.generation - b.generation);
  }

  /** Puts a kept generation in force. @throws EvicpressError where it is not whole. */
  async putInForce(generation: number): Promise<void> {
    const path = this.planPath(generation);
    if (!(await stat(path).catch(() => undefined))?.isFile())
      throw errors.missingFile(path, `generation ${generation}`, 'Pick one that `evicpress history` lists.');
    await copyDurably(path, this.inForcePath, this.folder);
  }

  /** Generations newer than the one in force that nobody withdrew are of turns that were killed before publishing. */
  private async removeUnpublished(inForce: number, records: readonly GenerationRecord[]): Promise<void> {
    for (const { generation, withdrawnAt } of records)
      if (generation > inForce && withdrawnAt === undefined) await this.remove(generation);
  }

  private async remove(generation: number): Promise<void> {
    await unlink(this.recordPath(generation)).catch(() => undefined);
    await unlink(this.planPath(generation)).catch(() => undefined);
  }

  /**
   * Goes back to a kept generation: the newer ones are marked as withdrawn, so that the next turn neither takes them
   * for unfinished nor publishes their like at once.
   * @throws EvicpressError where it is not whole.
   */
  async goBack(generation: number, now: Date): Promise<void> {
    for (const record of await this.records()) {
      if (record.generation <= generation || record.withdrawnAt !== undefined) continue;
      await writeDurably(
        this.recordPath(record.generation),
        jsonText({ ...record, withdrawnAt: now.toISOString() }),
      );
    }
    await this.putInForce(generation);
  }

  private async forgetOld(newest: number): Promise<void> {
    const records = await this.records();
    const surplus = records.filter((record) => record.generation !== newest).slice(0, -KEPT);
    for (const { generation } of surplus) await this.remove(generation);
  }

  private found(record: GenerationRecord): PlanInForce {
    return { generation: record.generation, path: this.inForcePath, record };
  }

  /** The file of a kept generation. */
  pathOf(generation: number): string {
    return this.planPath(generation);
  }

  private get generations(): string {
    return join(this.folder, GENERATIONS);
  }

  private planPath(generation: number): string {
    return join(this.generations, `${String(generation).padStart(6, '0')}.ndjson`);
  }

  private recordPath(generation: number): string {
    return join(this.generations, `${String(generation).padStart(6, '0')}.json`);
  }
}

/** Copies a file so that its new name appears with all its bytes on the disk. */
async function copyDurably(from: string, to: string, folder: string): Promise<void> {
  const temporary = `${to.replace(/([^/\\]+)$/, '.$1')}.${process.pid}.00000000.tmp`;
  try {
    await copyFile(from, temporary);
    const handle = await open(temporary, 'r+');
    await handle.sync();
    await handle.close();
    await rename(temporary, to);
    await syncFolder(folder);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw systemFault(error, to);
  }
}

/** The sha256 of a file's bytes; undefined where it cannot be read. */
async function hashOf(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer);
  } catch {
    return undefined;
  }
  return hash.digest('hex');
}
