import type { ExplainedOption, Flips } from '../formats/explained.js';
import { formatBytes, formatSeconds, significant } from '../units.js';

/** An option in words: `dram keydiff@0.5`, `ssd uncompressed`, `recompute`. */
export function optionName({ tier, method, compressionRatio }: ExplainedOption): string {
  if (tier === 'recompute') return tier;
  return method === 'none' ? `${tier} uncompressed` : `${tier} ${method}@${significant(compressionRatio)}`;
}

/** Options with their terms, as head and rows of a table; the chosen one is marked. */
export function optionsTable(options: readonly ExplainedOption[]): [string[], string[][]] {
  return [
    ['option', 'quality', 'TTFT', 'bytes', 'utility', 'price paid', 'net'],
    options.map((option) => [
      `${option.chosen ? '▸' : ' '} ${optionName(option)}`,
      option.quality.toFixed(4),
      formatSeconds(option.ttftSeconds),
      formatBytes(option.storedBytes),
      formatSeconds(option.utility),
      formatSeconds(option.pricePaid),
      formatSeconds(option.net),
    ]),
  ];
}

/** Each threshold as a line; none where the rival is not behind as it is. */
export function flipLines(
  chosen: ExplainedOption,
  rival: ExplainedOption,
  { accesses, quality, price, capacity }: Flips,
  now: {
    readonly accesses: number;
    readonly chosenQuality: number;
    readonly priceOf: (tier: string) => number;
    readonly capacityOf: (tier: string) => number;
  },
): string[] {
  if (chosen.net < rival.net || isLevel(chosen, rival)) return [];
  const gb = (value: number) => formatSeconds(value * 1e9);
  const lines = [
    ...(accesses === undefined
      ? []
      : [`  accesses per period   ${significant(accesses)} (now ${significant(now.accesses)})`]),
    ...(quality === undefined
      ? []
      : [
          `  quality of the ${quality.of === 'chosen' ? 'choice ' : 'rival  '} ${quality.value.toFixed(4)} (now ${(quality.of === 'chosen' ? now.chosenQuality : rival.quality).toFixed(4)})`,
        ]),
    ...(price === undefined
      ? []
      : [`  price of ${price.tier}   ${gb(price.value)} per GB (now ${gb(now.priceOf(price.tier))})`]),
    ...(capacity === undefined
      ? []
      : [
          `  capacity of ${capacity.tier}   about ${formatBytes(capacity.bytes)} (now ${formatBytes(now.capacityOf(capacity.tier))}), other prices as they are`,
        ]),
  ];
  return lines.length === 0
    ? [`No single change of rate, quality or price makes ${optionName(rival)} the better one.`]
    : [`${optionName(rival)} takes over at:`, ...lines];
}

/** A share of what is compared that is mere rounding. */
const ROUNDING = 1e-9;

/** Whether two options are worth the same but for rounding: which of them it is, the last bytes of the tiers decide. */
function isLevel(chosen: ExplainedOption, rival: ExplainedOption): boolean {
  const terms = [chosen, rival].flatMap(({ utility, pricePaid }) => [Math.abs(utility), pricePaid]);
  return Math.abs(chosen.net - rival.net) <= ROUNDING * Math.max(...terms);
}

/** Why, for somebody who does not know the sums. */
export function explainSentence(
  context: string,
  chosen: ExplainedOption,
  rival: ExplainedOption | undefined,
): string {
  const kept =
    chosen.tier === 'recompute'
      ? `"${context}" is not kept: computing it again takes ${formatSeconds(chosen.ttftSeconds)}`
      : `"${context}" is kept in ${chosen.tier}, ${chosen.method === 'none' ? 'uncompressed' : `compressed by ${chosen.method} to ${formatBytes(chosen.storedBytes)}`}: users wait ${formatSeconds(chosen.ttftSeconds)} at ${significant(100 * chosen.quality)} % quality`;
  if (rival === undefined) return `${kept}; nothing else is allowed for it.`;
  const ahead = chosen.net - rival.net;
  if (isLevel(chosen, rival))
    return `${kept}; the next best, ${optionName(rival)}, would be worth the same, the room it takes counted.`;
  return ahead >= 0
    ? `${kept}; the next best, ${optionName(rival)}, would cost ${formatSeconds(ahead)} more per period, the room it takes counted.`
    : `${kept}; at these prices ${optionName(rival)} would be better by ${formatSeconds(-ahead)}, but the last bytes of the tiers fit the others better.`;
}
