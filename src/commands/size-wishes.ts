import { EvicpressError, errors, naming, printable } from '../errors.js';
import type { SizePoint } from '../formats/size.js';
import { formatBytes, formatSeconds, parseNumber, parseSeconds } from '../units.js';

/** One condition of `--for`: a figure of a plan, and the most or the least it may be. */
export type Wish = { readonly what: keyof typeof WISHES; readonly most: boolean; readonly value: number };

const WISHES = {
  ttft: { of: (point: SizePoint) => point.meanTtftSeconds, parse: time, word: 'mean TTFT' },
  quality: { of: (point: SizePoint) => point.meanQuality, parse: plain, word: 'mean quality' },
  hit: { of: (point: SizePoint) => point.hitShare, parse: plain, word: 'hit share' },
  money: { of: (point: SizePoint) => point.moneyPerMonth, parse: plain, word: 'money per month' },
};

function time(text: string): number {
  return naming('--for', () => parseSeconds(text));
}

function plain(text: string): number {
  return parseNumber(text, '--for');
}

/** Reads `--for`, conditions with commas between. @throws EvicpressError naming what is none. */
export function wishesOf(text: string): Wish[] {
  return text.split(',').map((part) => {
    const match = /^\s*(\w+)\s*(<=|>=|≤|≥)\s*(\S+)\s*$/.exec(part);
    if (match === null)
      throw new EvicpressError(
        `--for: "${printable(part)}" is not a wish. Write it like ttft<=0.3 or quality>=0.95.`,
      );
    if (!(match[1]! in WISHES))
      naming('--for', () => {
        throw errors.unknownName('wish', match[1]!, Object.keys(WISHES));
      });
    const what = match[1] as keyof typeof WISHES;
    return { what, most: match[2] === '<=' || match[2] === '≤', value: WISHES[what].parse(match[3]!) };
  });
}

/** Whether a plan is as wished; what is unknown is not. */
export function fulfilled({ what, most, value }: Wish, point: SizePoint): boolean {
  const is = WISHES[what].of(point);
  return is !== undefined && (most ? is <= value : is >= value);
}

/** What a plan gives of what is wished, in words. */
export function reached({ what }: Wish, point: SizePoint): string {
  return `${WISHES[what].word} is ${valueText(what, point)}`;
}

function valueText(what: keyof typeof WISHES, point: SizePoint): string {
  const value = WISHES[what].of(point);
  if (value === undefined) return 'unknown (no tier has a pricePerGbMonth)';
  return what === 'ttft' ? formatSeconds(value) : value.toFixed(what === 'money' ? 2 : 4);
}

/** The answer to `--for`: the room, and what it gives. */
export function answerSentence(wishes: string, tier: string, point: SizePoint): string {
  return `You need ${formatBytes(point.capacities[tier]!)} of ${tier} for ${printable(wishes)}: mean TTFT ${formatSeconds(point.meanTtftSeconds)}, quality ${point.meanQuality.toFixed(4)}.`;
}
