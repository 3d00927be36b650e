import { printable } from '../errors.js';

/** A line's JSON value, or the error that says why it has none. */
export function jsonLine(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
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
  return value === undefined ? 'nothing' : printable(JSON.stringify(value) ?? String(value), 60);
}
