import { EvicpressError, errors, naming, printable } from '../errors.js';
import { parseBytes, parseCount, parseNumber, parseSeconds } from '../units.js';

/** What the numbers may be that options take, on the command line and in evicpress.yaml alike. */
export const RANGES = {
  alpha: { min: 0 },
  bandwidthShare: { min: 0, max: 1 },
  confidence: { min: 0.5, max: 0.9999 },
  load: { min: 1e-6 },
  maxGap: { min: 0 },
  meanQuality: { min: 0, max: 1 },
  migrationCost: { min: 0 },
  minGain: { min: 0 },
  minQuality: { min: 0, max: 1 },
  price: { min: 0 },
  probeSeconds: { min: 1, max: 600 },
  secondsPerTier: { min: 1, max: 3600 },
  warm: { min: 0, max: 1 },
  window: { min: 100, max: 1e7 },
} as const satisfies Readonly<Record<string, { readonly min?: number; readonly max?: number }>>;

/** What answers the queries when methods are profiled. */
const RUNNERS: readonly string[] = ['embedded', 'kvpress', 'openai'];

/** What whole numbers may be. */
export const COUNTS = {
  answerTokens: { min: 1 },
  blockTokens: { min: 1 },
  chunkTokens: { min: 1 },
  engines: { min: 1 },
  heldOut: { min: 0 },
  maxContexts: { min: 1 },
  points: { min: 1, max: 1000 },
  queries: { min: 1 },
  ranks: { min: 1 },
  workers: { min: 1 },
} as const;
const SEEDS = ['assignClasses', 'seed'];
const TIMES = ['budget', 'halfLife', 'hold', 'maxMeanTtft', 'moneyWeight', 'period', 'probeEvery'];
const SIZES = ['capacity', 'scratch', 'writeBudget'];
/** Bytes of a block here: any, for what is asked is whether a size can be read. */
const SOME_BLOCK = 1;

/**
 * Reads a value as its option would, as far as that needs nothing but the value.
 * @param key the option's name in camelCase; what we know nothing of is let pass.
 * @param text one value; of `NAME=VALUE` the value.
 * @throws EvicpressError whose message begins with `key: `.
 */
export function checkOptionValue(key: string, text: string): void {
  naming(key, () => {
    if (Object.hasOwn(RANGES, key)) parseNumber(text, key, RANGES[key as keyof typeof RANGES]);
    else if (key === 'minQualityOfClass') parseNumber(text, key, RANGES.minQuality);
    else if (key === 'maxMoney') requirePositive(parseNumber(text, key), text);
    else if (key === 'tenantShare') parseShare(text, key);
    else if (Object.hasOwn(COUNTS, key)) parseCount(text, key, COUNTS[key as keyof typeof COUNTS]);
    else if (SEEDS.includes(key)) parseSeed(text, key);
    else if (TIMES.includes(key) && !(key === 'probeEvery' && text === 'never'))
      requirePositive(parseSeconds(text), text);
    else if (key === 'runner') requireRunner(text);
    else if (SIZES.includes(key)) parseBytes(text, SOME_BLOCK);
  });
}

/** @throws EvicpressError on another runner than ours. */
export function requireRunner(name: string): void {
  if (!RUNNERS.includes(name)) throw errors.unknownName('runner', name, RUNNERS);
}

function requirePositive(value: number, text: string): void {
  if (!(value > 0)) throw new EvicpressError(`"${printable(text)}" is not above 0.`);
}

/** What random choices begin with: a whole number. @param what for the message. @throws EvicpressError */
export function parseSeed(text: string, what: string): number {
  return parseCount(text, what, {});
}

/** A share as a fraction or in percent: `0.4`, `40%`. @param what for the message. @throws EvicpressError */
export function parseShare(text: string, what: string): number {
  return text.endsWith('%')
    ? parseNumber(text.slice(0, -1), what, { min: 0, max: 100 }) / 100
    : parseNumber(text, what, { min: 0, max: 1 });
}
