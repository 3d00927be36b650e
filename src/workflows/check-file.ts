import { stat } from 'node:fs/promises';
import * as z from 'zod';
import { errors, printable } from '../errors.js';
import { type ContextRow, contextRowSchema, contextsHeaderSchema } from '../formats/contexts.js';
import { readLines, readText, systemFault } from '../formats/files.js';
import { methodRowSchema, methodsHeaderSchema, readMethods } from '../formats/methods.js';
import { modelSchema } from '../formats/model.js';
import {
  endSchema,
  type Placement,
  type PlanHeader,
  placementSchema,
  planHeaderSchema,
  scanPlan,
} from '../formats/plan.js';
import { replaySchema } from '../formats/replay.js';
import { checkFormat, type FormatKind, LIST_NOT_LINES, parseJson } from '../formats/schema.js';
import { sizeSchema } from '../formats/size.js';
import { checkTiers, tiersSchema } from '../formats/tiers.js';
import { locatedDocument } from '../formats/yaml-document.js';
import { checkConfig } from './check/config.js';
import { checkContexts } from './check/contexts.js';
import { addIssues, type Fault, Faults } from './check/faults.js';
import { checkLog } from './check/log.js';
import { PlanCheck } from './check/plan.js';
import type { Surroundings } from './check/surroundings.js';

/** What a file is, and all that is wrong with it. */
export interface CheckedFile {
  readonly path: string;
  readonly kind: string;
  readonly faults: readonly Fault[];
  /** Faults beyond those listed. */
  readonly more: number;
}

/** JSON larger than this is checked without looking for the line of each fault. */
const LOCATED_BYTES = 20e6;

/** The JSON files, each told by a field of its own where it has no header. */
const JSON_KINDS: readonly { kind: FormatKind; field: string; schema: z.ZodType }[] = [
  { kind: 'tiers', field: 'tiers', schema: tiersSchema },
  { kind: 'model', field: 'kvBytesPerToken', schema: modelSchema },
  { kind: 'replay', field: 'policies', schema: replaySchema },
  { kind: 'size', field: 'points', schema: sizeSchema },
];

const journalRow = z.looseObject({ context: z.string(), inputs: z.string() });

/** The NDJSON files: how a row is told without a header, and what must differ from row to row. */
const LINE_KINDS: readonly {
  kind: FormatKind;
  isRow: (row: Record<string, unknown>) => boolean;
  header: z.ZodType;
  row: z.ZodType;
  key?: (row: Record<string, unknown>) => string;
  /** The reader, for faults of a file whose rows have none. */
  read?: (path: string) => Promise<unknown>;
}[] = [
  {
    kind: 'plan',
    isRow: () => false,
    header: planHeaderSchema,
    row: placementSchema,
    key: (row) => String(row.context),
    read: (path) => scanPlan(path, () => undefined),
  },
  {
    kind: 'methods',
    isRow: (row) => 'method' in row && 'storedBytes' in row,
    header: methodsHeaderSchema,
    row: methodRowSchema,
    key: ({ context, class: group, method, compressionRatio, metric }) =>
      JSON.stringify([context, context === '*' ? group : null, method, compressionRatio, metric]),
    read: (path) => readMethods(path),
  },
  {
    kind: 'contexts',
    isRow: (row) =>
      'context' in row && ['tokens', 'fullBytes', 'accesses', 'text'].some((field) => field in row),
    header: contextsHeaderSchema,
    row: contextRowSchema,
    key: (row) => String(row.context),
  },
  // What `profile methods --resume` goes on from: it may look at one configuration twice.
  { kind: 'journal', isRow: () => false, header: z.looseObject({}), row: journalRow },
];

/**
 * Checks one file of any kind of ours: kind by header, else by shape; a request log by its first line.
 * @param surroundings what the pins of contexts are held against.
 * @throws EvicpressError where it cannot be read at all.
 */
export async function checkFile(path: string, surroundings: Surroundings = {}): Promise<CheckedFile> {
  await requireFile(path);
  const faults = new Faults();
  const kind = isConfig(path)
    ? await checkConfig(path, await readText(path), faults)
    : path.endsWith('.json')
      ? await checkJson(path, faults)
      : await checkLines(path, faults, surroundings);
  return { path, kind, faults: faults.inOrder(), more: faults.more };
}

function isConfig(path: string): boolean {
  return /\.ya?ml$/.test(path);
}

async function requireFile(path: string): Promise<void> {
  let info: Awaited<ReturnType<typeof stat>>;
  try {
    info = await stat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw errors.missingFile(path, 'a file to check', 'Check the path.');
    throw systemFault(error, path);
  }
  if (info.isDirectory())
    throw errors.badFile(path, undefined, 'this is a folder; name the files in it, e.g. .evicpress/*.');
  // A configuration may say nothing.
  if (info.size === 0 && !isConfig(path)) throw errors.emptyFile(path, 'one of our files');
}

async function checkJson(path: string, faults: Faults): Promise<string> {
  const text = await readText(path);
  let value: unknown;
  try {
    value = parseJson(text, path);
  } catch (error) {
    const at = /position (\d+)/.exec((error as Error).message)?.[1];
    faults.caught(error, path, at === undefined ? undefined : text.slice(0, Number(at)).split('\n').length);
    return 'JSON';
  }
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const known =
    JSON_KINDS.find(({ kind }) => fields.format === `evicpress.${kind}`) ??
    JSON_KINDS.find(({ field }) => field in fields);
  if (known === undefined) {
    const kinds = JSON_KINDS.map(({ kind }) => kind).join(', ');
    faults.add(
      Array.isArray(value) ? LIST_NOT_LINES : `no file of ours is like this; known: ${kinds}.`,
      Array.isArray(value) ? 1 : undefined,
    );
    return 'unknown';
  }
  const lineOf = text.length <= LOCATED_BYTES ? locatedDocument(text).lineOf : () => undefined;
  addIssues(known.schema, value, faults, lineOf);
  if (faults.none) {
    try {
      if (known.kind === 'tiers') checkTiers(value, path);
      else checkFormat(value, known.kind, path);
    } catch (error) {
      faults.caught(error, path);
    }
  }
  return known.kind;
}

async function checkLines(path: string, faults: Faults, surroundings: Surroundings): Promise<string> {
  let kind: (typeof LINE_KINDS)[number] | undefined;
  const lineOf = new Map<string, number>();
  const contexts: ContextRow[] = [];
  let plan: PlanCheck | undefined;
  let first = true;
  for await (const { firstLine, lines, unfinished } of readLines(path)) {
    for (const [k, text] of lines.entries()) {
      if (text.trim() === '') continue;
      const line = firstLine + k;
      let value: unknown;
      try {
        value = parseJson(text, path, line, unfinished && k === lines.length - 1);
      } catch (error) {
        if (first) return checkLog(path, faults);
        faults.caught(error, path);
        continue;
      }
      const fields = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
      if (first) {
        first = false;
        kind =
          LINE_KINDS.find((entry) => fields.format === `evicpress.${entry.kind}`) ??
          LINE_KINDS.find((entry) => entry.isRow(fields));
        if (kind === undefined) return checkLog(path, faults);
        if ('format' in fields) {
          if (addIssues(kind.header, value, faults, () => line)) {
            if (kind.kind === 'plan') plan = new PlanCheck(value as PlanHeader, faults);
            try {
              checkFormat(value, kind.kind, path, line);
            } catch (error) {
              faults.caught(error, path);
            }
          }
          continue;
        }
      }
      if (kind!.kind === 'plan' && 'end' in fields) {
        addIssues(endSchema, value, faults, () => line);
        continue;
      }
      const isSound = addIssues(kind!.row, value, faults, () => line);
      if (isSound) plan?.row(value as Placement, line);
      const key = kind!.key?.(fields);
      const earlier = key === undefined ? undefined : lineOf.get(key);
      if (key !== undefined && earlier === undefined) lineOf.set(key, line);
      if (key !== undefined && earlier !== undefined)
        faults.add(`${printable(key, 60)} was given before, on line ${earlier}.`, line);
      // Texts may be large, and whether there is one is all that is asked.
      if (kind!.kind === 'contexts' && isSound)
        contexts.push({ ...(fields as ContextRow), ...('text' in fields && { text: '' }) });
    }
  }
  checkContexts(contexts, lineOf, surroundings, faults);
  if (faults.none && kind?.read !== undefined)
    await kind.read(path).catch((error) => faults.caught(error, path));
  plan?.end();
  return kind?.kind ?? 'unknown';
}
