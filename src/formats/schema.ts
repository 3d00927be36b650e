import * as z from 'zod';
import { errors, printable } from '../errors.js';

/** The version of every file format; an unknown major version is refused. */
export const FORMAT_VERSION = 1;

/** The kinds of file evicpress writes; a header says `{"format": "evicpress.<kind>", "version": 1}`. */
export const FORMAT_KINDS = [
  'tiers',
  'model',
  'methods',
  'contexts',
  'plan',
  'replay',
  'size',
  'journal',
  'state',
] as const;
export type FormatKind = (typeof FORMAT_KINDS)[number];

/** The two header fields of a file of this kind. */
export function formatHeader<K extends FormatKind>(kind: K): { format: `evicpress.${K}`; version: number } {
  return { format: `evicpress.${kind}`, version: FORMAT_VERSION };
}

/**
 * Refuses a file of another kind or of a newer version. A missing header is accepted, so that a file written
 * by hand need not carry one.
 * @throws EvicpressError
 */
export function checkFormat(value: unknown, kind: FormatKind, path: string, line?: number): void {
  if (typeof value !== 'object' || value === null) return;
  const { format, version } = value as { format?: unknown; version?: unknown };
  if (format === undefined && version === undefined) return;
  const other = FORMAT_KINDS.find((known) => known !== kind && format === `evicpress.${known}`);
  if (other !== undefined) {
    throw errors.badFile(
      path,
      line,
      `this is a file of ${other}, not of ${kind}. Pass a file whose format is "evicpress.${kind}".`,
    );
  }
  if (format !== undefined && typeof format === 'string' && !format.startsWith('evicpress.')) {
    throw errors.badFile(path, line, `unknown format "${printable(format)}"; expected "evicpress.${kind}".`);
  }
  if (version !== undefined && Math.floor(Number(version)) !== FORMAT_VERSION) {
    throw errors.badFile(
      path,
      line,
      `version ${printable(String(version))} is not understood; this program reads version ${FORMAT_VERSION}. Update evicpress, or write the file again with this one.`,
    );
  }
}

/**
 * Checks a parsed value against a schema, once, where it is read.
 * @returns the typed value, unknown fields kept.
 * @throws EvicpressError naming the field, what it must be and what it is.
 */
export function checkShape<S extends z.ZodType>(
  schema: S,
  value: unknown,
  path: string,
  line?: number,
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw errors.badFile(path, line, describeIssue(result.error.issues[0]!, value));
}

/** One fault in words: `tiers[0].read.latencySeconds: expected number >= 0, got -1`. */
export function describeIssue(issue: z.core.$ZodIssue, root: unknown): string {
  const where = fieldPath(issue.path);
  const got = valueAt(root, issue.path);
  const field = where === '' ? '' : `${where}: `;
  if (got === undefined) return `${field}missing; ${expectation(issue)}.`;
  return `${field}${expectation(issue)} (got ${shownValue(got)}).`;
}

/** What a schema asks for, in words for people. */
const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'a mapping of names to values',
};

/** `expected text or a number`: our own message where the schema has one, else the schema's demand in words. */
function expectation(issue: z.core.$ZodIssue): string {
  if (!issue.message.startsWith('Invalid ')) return issue.message;
  if (issue.code === 'invalid_type') return `expected ${TYPE_WORDS[issue.expected] ?? issue.expected}`;
  if (issue.code === 'invalid_value')
    return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
  if (issue.code !== 'invalid_union') return issue.message.replace(/^Invalid (input: )?/, '');
  const wanted = issue.errors.flatMap(([first]) => (first === undefined ? [] : [expectation(first)]));
  return [...new Set(wanted)]
    .map((each, i) => (i === 0 ? each : each.replace(/^expected /, '')))
    .join(' or ');
}

/** A field as people write it: `tiers[0].read.latencySeconds`. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) =>
      typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${printable(String(key), 60)}`,
    )
    .join('');
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** A value for a message: short, without control characters, whatever it is. */
export function shownValue(value: unknown): string {
  if (typeof value === 'number') return String(value);
  try {
    return printable(JSON.stringify(value) ?? String(value), 60);
  } catch {
    return 'a value nested too deep to show';
  }
}

/** Deeper than this nothing of ours is nested; what is comes from somebody who wants to exhaust the stack. */
const DEEPEST = 500;

/** How deep brackets are nested in a JSON text; strings are skipped. */
function isTooDeep(text: string): boolean {
  if (text.length < 2 * DEEPEST) return false;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === 34) {
      for (i++; i < text.length && text.charCodeAt(i) !== 34; i++) if (text.charCodeAt(i) === 92) i++;
    } else if (character === 91 || character === 123) {
      if (++depth > DEEPEST) return true;
    } else if (character === 93 || character === 125) depth--;
  }
  return false;
}

/** What is said of a list where a file of lines is expected. */
export const LIST_NOT_LINES =
  "a JSON array begins here; expected one JSON object per line. Make lines of it: jq -c '.[]' FILE > NEW.jsonl.";

/** What is said of one object over several lines where a file of lines is expected. */
const OBJECT_NOT_LINES =
  'a JSON object over several lines begins here; expected one object per line. If this is the right file, make lines of it: jq -c . FILE > NEW.ndjson.';

/** Whether a line begins a JSON array, as files do that are written whole. */
export function isList(line: string): boolean {
  return /^\ufeff?\s*\[/.test(line);
}

/** What is said of a last line without a newline that ends before its JSON does. */
const CUT_OFF = 'the file is cut off in the middle of this line. Write it again, or copy it again.';

/** Whether the parser was at the end of the text, and missed nothing before it. */
function endsEarly(text: string, { message }: Error): boolean {
  const position = /at position (\d+)/.exec(message)?.[1];
  return /^Unexpected end|^Unterminated string/.test(message) || Number(position) >= text.trimEnd().length;
}

/**
 * JSON.parse with a message that says where.
 * @param unfinished the line is the last one and has no newline: it may be cut off.
 * @throws EvicpressError
 */
export function parseJson(text: string, path: string, line?: number, unfinished = false): unknown {
  if (line !== undefined && isList(text)) throw errors.badFile(path, line, LIST_NOT_LINES);
  if (line === 1 && /^\s*\{\s*$/.test(text)) throw errors.badFile(path, line, OBJECT_NOT_LINES);
  if (isTooDeep(text)) throw errors.badFile(path, line, `nested more than ${DEEPEST} levels deep.`);
  try {
    return JSON.parse(text);
  } catch (error) {
    if (unfinished && endsEarly(text, error as Error)) throw errors.badFile(path, line, CUT_OFF);
    throw errors.badFile(path, line, `not valid JSON (${printable((error as Error).message, 120)}).`);
  }
}

/** Fields that occur in several formats. Numbers are finite: JSON has no NaN, and neither have we. */
export const nonNegative = z.number('expected a number').nonnegative('expected a number ≥ 0');
export const positive = z.number('expected a number').positive('expected a number > 0');
export const fraction = z
  .number('expected a number')
  .min(0, 'expected a number from 0 to 1')
  .max(1, 'expected a number from 0 to 1');
export const ratio = z
  .number('expected a number')
  .min(0, 'expected the fraction removed, 0 ≤ ratio < 1')
  .lt(1, 'expected the fraction removed, 0 ≤ ratio < 1');
export const count = z
  .number('expected a whole number')
  .int('expected a whole number')
  .nonnegative('expected a whole number ≥ 0');
export const label = z
  .string('expected text')
  .min(1, 'expected text that is not empty')
  .max(4096, 'expected text of at most 4096 characters');
const TIER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
/** A tier's name: it may become part of a path, so it cannot lead out of a folder. */
export const tierName = label.regex(TIER_NAME, 'expected a name of letters, digits, ".", "_" and "-"');

/** The same without a schema, for plain rows. */
export const isNonNegative = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY;
export const isPositive = (value: unknown): value is number => isNonNegative(value) && value > 0;
export const isFraction = (value: unknown): value is number => isNonNegative(value) && value <= 1;
/** As of a request: above 0. */
export const isShare = (value: unknown): value is number => isFraction(value) && value > 0;
export const isRatio = (value: unknown): value is number => isFraction(value) && value < 1;
export const isLabel = (value: unknown): value is string =>
  typeof value === 'string' && value.length >= 1 && value.length <= 4096;
export const isTierName = (value: unknown): value is string => isLabel(value) && TIER_NAME.test(value);

export const source = z.enum(['measured', 'reference', 'assumed'], 'expected measured, reference or assumed');
export type Source = z.infer<typeof source>;
