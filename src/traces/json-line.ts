import { isUtf8 } from 'node:buffer';
import { printable } from '../errors.js';
import { NOT_UTF8 } from '../formats/files.js';
import { isList, LIST_NOT_LINES, shownValue } from '../formats/schema.js';

/** What some editors put before the first character of a file, and `cat` then into the middle of one. */
const BYTE_ORDER_MARK = '\ufeff';

/** A line's JSON value, or the error that says why it has none. */
export function jsonLine(text: string): unknown {
  try {
    return JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text) as unknown;
  } catch (error) {
    return error as Error;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Error);
}

/** What is wrong with a field that must be a count of tokens; undefined where nothing is. */
export function wholeNumber(field: string, value: unknown): string | undefined {
  const fine = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31;
  return fine
    ? undefined
    : `${field}: expected a whole number of tokens from 0 to 2^31 (got ${shown(value)}).`;
}

/** What is wrong with an optional label. */
export function optionalText(field: string, value: unknown): string | undefined {
  return value === undefined || typeof value === 'string'
    ? undefined
    : `${field}: expected text (got ${shown(value)}).`;
}

export function shown(value: unknown): string {
  return value === undefined ? 'nothing' : shownValue(value);
}

/** What a decoder puts where bytes are no UTF-8; a text may hold it itself. */
const REPLACEMENT = '\ufffd';

/**
 * A line's object, or what is wrong with the line.
 * @param expected what is said of another value.
 */
export function parsedLine(
  bytes: Buffer,
  start: number,
  end: number,
  expected = 'expected one JSON object per line.',
): Record<string, unknown> | string {
  const text = bytes.toString('utf8', start, end);
  // Two ids or labels must not become one by what they are decoded to.
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end))) return NOT_UTF8;
  if (isList(text)) return LIST_NOT_LINES;
  const value = jsonLine(text);
  if (value instanceof Error) return `not valid JSON (${printable(value.message, 120)}).`;
  return isObject(value) ? value : expected;
}

/** What is wrong with a time stamp; undefined where nothing is. */
export function timestampFault(value: unknown): string | undefined {
  return isTime(value) ? undefined : `timestamp: expected a number ≥ 0 (got ${shown(value)}).`;
}

/** Whether this is a number ≥ 0; JSON's 1e999 is none. */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value);
}

/** As wholeNumber, but nothing of no length can be reused. */
export function positiveTokens(field: string, value: unknown): string | undefined {
  return wholeNumber(field, value) ?? (value === 0 ? `${field}: expected at least 1 token.` : undefined);
}
