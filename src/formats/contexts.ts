import * as z from 'zod';
import { errors, printable } from '../errors.js';
import { readNdjson } from './files.js';
import { isHeader } from './methods.js';
import { PlainRows } from './plain-rows.js';
import {
  checkFormat,
  checkShape,
  fraction,
  isFraction,
  isLabel,
  isNonNegative,
  isPositive,
  isShare,
  label,
  nonNegative,
  positive,
} from './schema.js';

/** A reusable prefix: for profiling (text, queries), for planning (tokens or bytes, accesses), or both. */
export const contextRowSchema = z.looseObject({
  context: label,
  class: label.optional(),
  tenant: label.optional(),
  tokens: positive.optional(),
  fullBytes: positive.optional(),
  /** Expected reuses in the header's periodSeconds. */
  accesses: nonNegative.optional(),
  parent: label.optional(),
  startTokens: nonNegative.optional(),
  /** Its share of its requests' reusable tokens; 1 where a request reuses this context alone. */
  requestShare: positive.max(1, 'expected a number > 0 and ≤ 1').optional(),
  minQuality: fraction.optional(),
  pin: z
    .looseObject({ tier: label, method: label.optional(), compressionRatio: z.number().optional() })
    .optional(),
  text: z.string().optional(),
  queries: z.array(z.string()).optional(),
  /** Per query the right answer, or several that are right. */
  answers: z.array(z.union([z.string(), z.array(z.string())])).optional(),
});
/** One context with text, queries or tokens; accesses per second. */
export type ContextRow = z.infer<typeof contextRowSchema>;

/** The fields of `contextRowSchema` that rows for planning have. */
const plainRows = () =>
  new PlainRows<ContextRow>(['context'], {
    context: { holds: 'id', test: isLabel },
    class: { holds: 'name', test: isLabel },
    tenant: { holds: 'name', test: isLabel },
    parent: { holds: 'id', test: isLabel },
    tokens: { holds: 'number', test: isPositive },
    fullBytes: { holds: 'number', test: isPositive },
    accesses: { holds: 'number', test: isNonNegative },
    startTokens: { holds: 'number', test: isNonNegative },
    requestShare: { holds: 'number', test: isShare },
    minQuality: { holds: 'number', test: isFraction },
  });

export const contextsHeaderSchema = z.looseObject({
  format: z.literal('evicpress.contexts'),
  version: z.number(),
  periodSeconds: positive.optional(),
});
/** The first line of a contexts file. */
export type ContextsHeader = z.infer<typeof contextsHeaderSchema>;

/** A contexts file as read. */
export interface ContextsFile {
  readonly header: Partial<ContextsHeader>;
  readonly rows: readonly ContextRow[];
}

/**
 * Reads a contexts file, with or without a header line.
 * @param purpose `planning` requires accesses and a size, `profiling` a text.
 * @throws EvicpressError with file and line of the first fault.
 */
export async function readContexts(path: string, purpose: 'planning' | 'profiling'): Promise<ContextsFile> {
  let header: Partial<ContextsHeader> = {};
  const rows: ContextRow[] = [];
  const lineOf = new Map<string, number>();
  await readNdjson(
    path,
    'contexts',
    'See docs/formats.md for the form of a contexts file.',
    (value, line, isPlain) => {
      if (line === 1 && isHeader(value)) {
        checkFormat(value, 'contexts', path, line);
        header = value as Partial<ContextsHeader>;
        return;
      }
      const row = isPlain ? (value as ContextRow) : checkShape(contextRowSchema, value, path, line);
      const earlier = lineOf.get(row.context);
      if (earlier !== undefined) {
        throw errors.badFile(
          path,
          line,
          `context "${printable(row.context)}" was given before, on line ${earlier}. Every context needs an id of its own.`,
        );
      }
      const fault = purposeFault(row, purpose);
      if (fault !== undefined) throw errors.badFile(path, line, fault);
      lineOf.set(row.context, line);
      rows.push(row);
    },
    plainRows(),
  );
  if (rows.length === 0)
    throw errors.badFile(path, undefined, 'there is no context in it; expected at least one line with one.');
  if (purpose === 'planning') {
    for (const { line, what } of parentFaults(rows, lineOf)) throw errors.badFile(path, line, what);
  }
  return { header, rows };
}

/** What a context lacks for its purpose: for planning accesses and a size, for profiling a text; undefined where nothing. */
export function purposeFault(row: ContextRow, purpose: 'planning' | 'profiling'): string | undefined {
  const context = `context "${printable(row.context)}"`;
  if (purpose === 'profiling')
    return row.text === undefined ? `${context} has no text; profiling needs it.` : undefined;
  if (row.tokens === undefined && row.fullBytes === undefined)
    return `${context} has neither tokens nor fullBytes; planning needs its size.`;
  if (row.accesses === undefined)
    return `${context} has no accesses; planning needs the expected number of reuses.`;
  return undefined;
}

/**
 * Parents that are not in the file, and circles of parents, each circle once.
 * @param lineOf the line of every context.
 */
export function* parentFaults(
  rows: readonly Pick<ContextRow, 'context' | 'parent'>[],
  lineOf: ReadonlyMap<string, number>,
): Generator<{ readonly line: number; readonly what: string }> {
  const parentOf = new Map<string, string>();
  let ordered = true;
  for (const { context, parent } of rows) {
    if (parent === undefined) continue;
    const line = lineOf.get(context)!;
    const parentLine = lineOf.get(parent);
    if (parentLine === undefined)
      yield {
        line,
        what: `context "${printable(context)}" names parent "${printable(parent)}", which is not in this file.`,
      };
    else if (parentLine >= line) ordered = false;
    parentOf.set(context, parent);
  }
  // Where every parent stands above its children there is no circle.
  if (!ordered) yield* circles(parentOf, lineOf);
}

function* circles(
  parentOf: ReadonlyMap<string, string>,
  lineOf: ReadonlyMap<string, number>,
): Generator<{ readonly line: number; readonly what: string }> {
  const passed = new Set<string>();
  for (const start of parentOf.keys()) {
    const path = new Set<string>();
    let at: string | undefined = start;
    for (; at !== undefined && !passed.has(at); at = parentOf.get(at)) {
      passed.add(at);
      path.add(at);
    }
    if (at === undefined || !path.has(at)) continue;
    const ring = [...path].slice([...path].indexOf(at));
    yield {
      line: Math.min(...ring.map((context) => lineOf.get(context)!)),
      what: `the parents of context "${printable(at)}" form a circle: ${shownRing(ring)}; a context cannot be its own ancestor.`,
    };
  }
}

/** `a → b → a`, the middle of long ones left out. */
function shownRing(ring: readonly string[]): string {
  const shown = ring.length <= 6 ? ring : [...ring.slice(0, 4), '…', ring.at(-1)!];
  return [...shown, ring[0]!].map((context) => printable(context, 40)).join(' → ');
}
