import { EvicpressError, printable } from './errors.js';

/** Bytes per unit; `blocks` are not a unit of their own but a multiple that depends on the log. */
const BYTE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  PB: 1e15,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  PiB: 2 ** 50,
};

const SECOND_UNITS: Readonly<Record<string, number>> = {
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  min: 60,
  h: 3600,
  d: 86_400,
};

/**
 * Reads a size such as `80GB` (10^9), `80GiB` (2^30), `5484blocks`, `0` or `unlimited`.
 * @param blockBytes what one block weighs; without it a size in blocks is refused.
 * @returns bytes, `Infinity` for unlimited.
 * @throws EvicpressError that names the forms understood.
 */
export function parseBytes(text: string, blockBytes?: number): number {
  const trimmed = text.trim();
  if (trimmed === 'unlimited') return Number.POSITIVE_INFINITY;
  const { value, unit } = splitUnit(trimmed, 'size', '80GB, 80GiB, 5484blocks, 0 or unlimited');
  if (unit === 'blocks' || unit === 'block') {
    if (blockBytes === undefined) {
      throw new EvicpressError(
        `"${printable(text)}" is a size in blocks, but nothing here says how large a block is. Give bytes, e.g. 80GB.`,
      );
    }
    return Math.round(value * blockBytes);
  }
  if (unit === '') return value;
  return Math.round(value * unitFactor(unit, BYTE_UNITS, text, 'size'));
}

/** Whether a size is so few bytes, and without a unit, that a unit was surely meant. */
export function lacksUnit(text: string): boolean {
  return /^\d+(?:\.\d+)?$/.test(text.trim()) && Number(text) > 0 && Number(text) < 1e6;
}

/** Reads a rate such as `20GB/s`. @returns bytes per second. @throws EvicpressError */
export function parseBytesPerSecond(text: string): number {
  const match = /^(.*)\/s$/.exec(text.trim());
  if (match === null) throw new EvicpressError(`"${printable(text)}" is not a rate. Write it like 20GB/s.`);
  return parseBytes(match[1]!);
}

/** Reads a duration such as `5ms`, `300s`, `10m`, `12h`. @returns seconds. @throws EvicpressError */
export function parseSeconds(text: string): number {
  const { value, unit } = splitUnit(text.trim(), 'duration', '5ms, 300s, 10m or 12h');
  const seconds = unit === '' ? value : value * unitFactor(unit, SECOND_UNITS, text, 'duration');
  return reckonable(seconds, undefined, text);
}

/**
 * A number to which one can be added: sums with larger ones are of the large number alone, and plans made with them
 * say nothing.
 */
function reckonable(value: number, what: string | undefined, text: string): number {
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
  throw new EvicpressError(
    `${what === undefined ? '' : `${what}: `}"${printable(text)}" is too large to reckon with. Write one below 2^53.`,
  );
}

/** Reads a plain finite number. @param what names the flag or field in the message. @throws EvicpressError */
export function parseNumber(text: string, what: string, range: { min?: number; max?: number } = {}): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = range;
  if (!Number.isFinite(value) || value < min || value > max) {
    throw new EvicpressError(`${what}: "${printable(text)}" is not a number${describeRange(range)}.`);
  }
  return reckonable(value, what, text);
}

/** Reads a whole number, of at least 1 where no range is given. @param what names the flag or field in the message. @throws EvicpressError */
export function parseCount(
  text: string,
  what: string,
  range: { min?: number; max?: number } = { min: 1 },
): number {
  const value = parseNumber(text, what, range);
  if (!Number.isInteger(value))
    throw new EvicpressError(`${what}: "${printable(text)}" is not a whole number.`);
  return value;
}

function describeRange({ min, max }: { min?: number; max?: number }): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  if (max !== undefined) return ` of at most ${max}`;
  return '';
}

function splitUnit(text: string, what: string, forms: string): { value: number; unit: string } {
  const match = /^(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([a-zµ]*)$/i.exec(text);
  if (match === null)
    throw new EvicpressError(`"${printable(text)}" is not a ${what}. Write it like ${forms}.`);
  const value = Number(match[1]);
  if (!Number.isFinite(value)) throw new EvicpressError(`"${printable(text)}" is too large for a ${what}.`);
  return { value, unit: match[2]! };
}

function unitFactor(
  unit: string,
  units: Readonly<Record<string, number>>,
  text: string,
  what: string,
): number {
  const known =
    Object.keys(units).find((name) => name === unit) ??
    Object.keys(units).find((name) => name.toLowerCase() === unit.toLowerCase());
  if (known === undefined) {
    throw new EvicpressError(
      `"${printable(text)}": unknown unit of ${what} "${printable(unit)}". Known: ${Object.keys(units).join(', ')}.`,
    );
  }
  return units[known]!;
}

/** Bytes for people: three significant digits, decimal units; `unlimited` for Infinity or null. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null || bytes === Number.POSITIVE_INFINITY) return 'unlimited';
  return scaled(bytes, ['B', 'KB', 'MB', 'GB', 'TB', 'PB'], 1000);
}

/** Bytes per second for people. */
export function formatBytesPerSecond(rate: number): string {
  return `${formatBytes(rate)}/s`;
}

/** Seconds for people: µs, ms, s, min or h, three significant digits. */
export function formatSeconds(seconds: number): string {
  const size = Math.abs(seconds);
  if (size === 0) return '0 s';
  if (size < 1e-3) return `${significant(seconds * 1e6)} µs`;
  if (size < 1) return `${significant(seconds * 1e3)} ms`;
  if (size < 120) return `${significant(seconds)} s`;
  if (size < 7200) return `${significant(seconds / 60)} min`;
  return `${significant(seconds / 3600)} h`;
}

/** A count for people: 12,031. */
export function formatCount(count: number): string {
  // Not toLocaleString, whose first call takes longer than many a command.
  return String(Math.round(count)).replace(/(?<=\d)(?=(?:\d{3})+$)/g, ',');
}

/** A count with its noun: 1 context, 12,031 contexts. */
export function formatCounted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${Math.round(count) === 1 ? '' : 's'}`;
}

/** A fraction as per cent with one decimal. */
export function formatShare(fraction: number): string {
  return `${(100 * fraction).toFixed(1).replace(/^-(0\.0)$/, '$1')} %`;
}

/** Three significant digits without an exponent. */
export function significant(value: number, digits = 3): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const text = value.toPrecision(digits);
  return text.includes('e') ? String(Number(text)) : text;
}

function scaled(value: number, units: readonly string[], step: number): string {
  let size = value;
  let index = 0;
  while (Math.abs(size) >= step && index < units.length - 1) {
    size /= step;
    index++;
  }
  return `${index === 0 ? String(Math.round(size)) : significant(size)} ${units[index]!}`;
}
