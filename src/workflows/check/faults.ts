import type * as z from 'zod';
import { EvicpressError, printable } from '../../errors.js';
import { describeIssue } from '../../formats/schema.js';

/** Something wrong in a file. */
export interface Fault {
  /** From 1; absent where it concerns the whole file. */
  readonly line?: number;
  readonly what: string;
}

/** Listed faults per file: more are counted only. */
const MOST = 50;

/** Collects faults, the first `MOST` of them in full. */
export class Faults {
  private readonly list: Fault[] = [];
  more = 0;

  add(what: string, line?: number): void {
    if (this.list.length < MOST) this.list.push(line === undefined ? { what } : { line, what });
    else this.more++;
  }

  /** Adds what a reader threw, without repeating the file's name. @throws what is no fault of the file. */
  caught(error: unknown, path: string, line?: number): void {
    if (!(error instanceof EvicpressError)) throw error;
    const match = new RegExp(`^${escaped(printable(path))}(?::(\\d+))?: `).exec(error.message);
    const at = match?.[1] === undefined ? line : Number(match[1]);
    this.add(error.message.slice(match?.[0].length ?? 0), at);
  }

  /** Those listed, by line; first what concerns the whole file. */
  inOrder(): Fault[] {
    return this.list.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
  }

  get none(): boolean {
    return this.list.length === 0;
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Adds what a schema finds wrong with a value. @param lineOf the line of a field. @returns whether that is nothing. */
export function addIssues(
  schema: z.ZodType,
  value: unknown,
  faults: Faults,
  lineOf: (field: readonly PropertyKey[]) => number | undefined,
): boolean {
  const result = schema.safeParse(value);
  for (const issue of result.error?.issues ?? []) faults.add(describeIssue(issue, value), lineOf(issue.path));
  return result.success;
}
