import { stat } from 'node:fs/promises';
import { LineCounter, parseDocument } from 'yaml';
import * as z from 'zod';
import { EvicpressError, errors, printable } from '../errors.js';
import { configSchema, refuseExcess, yamlFault, yamlValue } from '../formats/config.js';
import { contextRowSchema, contextsHeaderSchema, readContexts } from '../formats/contexts.js';
import { readLines, readText, systemFault } from '../formats/files.js';
import { methodRowSchema, methodsHeaderSchema, readMethods } from '../formats/methods.js';
import { modelSchema } from '../formats/model.js';
import { endSchema, placementSchema, planHeaderSchema, scanPlan } from '../formats/plan.js';
import { replaySchema } from '../formats/replay.js';
import { checkFormat, describeIssue, type FormatKind, parseJson } from '../formats/schema.js';
import { sizeSchema } from '../formats/size.js';
import { checkTiers, tiersSchema } from '../formats/tiers.js';
import { TraceBuilder } from '../traces/builder.js';
import { formats } from '../traces/index.js';
import { readLogBatches } from '../traces/lines.js';

/** Something wrong in a file. */
export interface Fault {
  /** From 1; absent where it concerns the whole file. */
  readonly line?: number;
  readonly what: string;
}

/** What a file is, and all that is wrong with it. */
export interface CheckedFile {
  readonly path: string;
  readonly kind: string;
  readonly faults: readonly Fault[];
  /** Faults beyond those listed. */
  readonly more: number;
}

/** Listed faults per file: more are counted only. */
const MOST = 50;
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
  /** The reader, for faults of the file as a whole. */
  read?: (path: string, rows: readonly Record<string, unknown>[]) => Promise<unknown>;
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
    read: (path, rows) =>
      readContexts(
        path,
        rows.every((row) => 'accesses' in row || !('text' in row)) ? 'planning' : 'profiling',
      ),
  },
  // What `profile methods --resume` goes on from: it may look at one configuration twice.
  { kind: 'journal', isRow: () => false, header: z.looseObject({}), row: journalRow },
];

/** Collects faults, the first `MOST` of them in full. */
class Faults {
  readonly list: Fault[] = [];
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

  get none(): boolean {
    return this.list.length === 0;
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/**
 * Checks one file of any kind of ours: kind by header, else by shape; a request log by its first line.
 * @throws EvicpressError where it cannot be read at all.
 */
export async function checkFile(path: string): Promise<CheckedFile> {
  await requireFile(path);
  const faults = new Faults();
  const kind = /\.ya?ml$/.test(path)
    ? checkYaml(path, await readText(path), faults)
    : path.endsWith('.json')
      ? await checkJson(path, faults)
      : await checkLines(path, faults);
  return { path, kind, faults: faults.list, more: faults.more };
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
  if (info.size === 0) throw errors.emptyFile(path, 'one of our files');
}

function checkYaml(path: string, text: string, faults: Faults): string {
  try {
    refuseExcess(text, path);
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
    for (const error of document.errors) faults.add(yamlFault(error.message), error.linePos?.[0].line);
    if (faults.none)
      addIssues(configSchema, yamlValue(document, path) ?? {}, faults, locator(document, lines));
  } catch (error) {
    faults.caught(error, path);
  }
  return 'evicpress.yaml';
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
    faults.add(`no file of ours is like this; known: ${JSON_KINDS.map(({ kind }) => kind).join(', ')}.`);
    return 'unknown';
  }
  const lines = new LineCounter();
  const located = text.length <= LOCATED_BYTES;
  const find = located ? locator(parseDocument(text, { lineCounter: lines }), lines) : () => undefined;
  addIssues(known.schema, value, faults, find);
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

/** The line of a field, found in the parsed document; of the nearest field above it where it is missing. */
function locator(
  document: ReturnType<typeof parseDocument>,
  lines: LineCounter,
): (field: readonly PropertyKey[]) => number | undefined {
  return (field) => {
    for (let depth = field.length; depth >= 0; depth--) {
      const node = document.getIn(field.slice(0, depth), true) as { range?: readonly number[] } | undefined;
      if (node?.range !== undefined && node.range !== null) return lines.linePos(node.range[0]!).line;
    }
    return undefined;
  };
}

function addIssues(
  schema: z.ZodType,
  value: unknown,
  faults: Faults,
  lineOf: (field: readonly PropertyKey[]) => number | undefined,
): void {
  const result = schema.safeParse(value);
  if (result.success) return;
  for (const issue of result.error.issues) faults.add(describeIssue(issue, value), lineOf(issue.path));
}

async function checkLines(path: string, faults: Faults): Promise<string> {
  let kind: (typeof LINE_KINDS)[number] | undefined;
  const lineOf = new Map<string, number>();
  const rows: Record<string, unknown>[] = [];
  let first = true;
  for await (const { firstLine, lines } of readLines(path)) {
    for (const [k, text] of lines.entries()) {
      if (text.trim() === '') continue;
      const line = firstLine + k;
      let value: unknown;
      try {
        value = parseJson(text, path, line);
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
          addIssues(kind.header, value, faults, () => line);
          continue;
        }
      }
      if (kind!.kind === 'plan' && 'end' in fields) {
        addIssues(endSchema, value, faults, () => line);
        continue;
      }
      addIssues(kind!.row, value, faults, () => line);
      const key = kind!.key?.(fields);
      const earlier = key === undefined ? undefined : lineOf.get(key);
      if (key !== undefined && earlier === undefined) lineOf.set(key, line);
      if (key !== undefined && earlier !== undefined)
        faults.add(`${printable(key, 60)} was given before, on line ${earlier}.`, line);
      if (kind!.kind === 'contexts')
        rows.push({ ...fields, text: undefined, ...('text' in fields ? { text: '' } : {}) });
    }
  }
  if (faults.none && kind?.read !== undefined)
    await kind.read(path, rows).catch((error) => faults.caught(error, path));
  return kind?.kind ?? 'unknown';
}

/** A request log, by the parser of its format: every line that does not parse. */
async function checkLog(path: string, faults: Faults): Promise<string> {
  let parse: ((bytes: Buffer, start: number, end: number) => string | undefined) | undefined;
  let builder: TraceBuilder | undefined;
  let kind = 'unknown';
  for await (const { bytes, firstLine } of readLogBatches(path)) {
    let line = firstLine;
    for (let start = 0; start < bytes.length; line++) {
      const newline = bytes.indexOf(10, start);
      const end = newline < 0 ? bytes.length : newline;
      const text = parse === undefined ? bytes.toString('utf8', start, end) : undefined;
      if (parse === undefined && text!.trim() !== '') {
        const format = formats.find((entry) => entry.sniff(text!));
        if (format === undefined) {
          faults.add('this is no file of ours and no request log we know.', line);
          return kind;
        }
        kind = `${format.name} log`;
        builder = new TraceBuilder(format.reuse);
        const parser = format.parse(builder, {});
        parse = (...range) => parser.line(...range);
      }
      if (parse !== undefined && bytes.subarray(start, end).some((byte) => byte > 32)) {
        const fault = parse(bytes, start, end);
        if (fault !== undefined) {
          builder!.abandon();
          faults.add(fault, line);
        }
      }
      start = end + 1;
    }
  }
  return kind;
}
