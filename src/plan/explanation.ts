import type { ExplainedOption, Flips } from '../formats/explained.js';
import { RECOMPUTE, UNCOMPRESSED } from '../formats/names.js';
import { wholeLagrangian } from './boxed.js';
import { qualityOf, storedBytesOf, ttftOf, utilityOf } from './choice-costs.js';
import { KEEP_NOTHING, type Problem } from './problem.js';
import { BytePrices } from './row-cells.js';
import { couplingRows } from './rows.js';

/** Why a context is where it is: its best options, priced, and what would change the choice. */
export interface Explanation {
  /** Every option that is allowed, the highest net first. */
  readonly options: readonly ExplainedOption[];
  readonly chosen: ExplainedOption;
  /** The best of the others; undefined where there is no other. */
  readonly rival?: ExplainedOption;
  readonly flips: Flips;
}

/**
 * Why context i is where it is: its options at the prices, and what would make the runner-up the better one.
 * For a context of a prefix tree the sums are its own; what hangs below it counts for the plan, not here.
 * @param choice of context i in the plan. @param prices by coupling row.
 */
export function explainChoice(
  problem: Problem,
  i: number,
  choice: number,
  prices: Float64Array,
): Explanation {
  const bytePrices = new BytePrices(problem, couplingRows(problem));
  bytePrices.set(prices);
  const options = choicesOf(problem, i)
    .map((each) => optionOf(problem, i, each, bytePrices, each === choice))
    .sort((a, b) => b.net - a.net);
  const chosen = options.find((option) => option.chosen) ?? optionOf(problem, i, choice, bytePrices, true);
  const rival = options.find((option) => !option.chosen);
  if (rival === undefined) return { options, chosen, flips: {} };
  return { options, chosen, rival, flips: flipsOf(problem, i, chosen, rival, prices) };
}

/** The choices that context i is allowed. */
function choicesOf({ tiers, forms, curveOf, allowed }: Problem, i: number): number[] {
  const count = forms.storedBytes.length;
  const choices = allowed[i]! & (1 << tiers.length) ? [KEEP_NOTHING] : [];
  for (let t = 0; t < tiers.length; t++) {
    if ((allowed[i]! & (1 << t)) === 0) continue;
    for (let form = forms.offsets[curveOf[i]!]!; form < forms.offsets[curveOf[i]! + 1]!; form++)
      choices.push(t * count + form);
  }
  return choices;
}

function optionOf(
  problem: Problem,
  i: number,
  choice: number,
  prices: BytePrices,
  chosen: boolean,
): ExplainedOption {
  const { forms, tiers } = problem;
  const count = forms.storedBytes.length;
  const tier = choice === KEEP_NOTHING ? -1 : Math.floor(choice / count);
  const lossy = choice === KEEP_NOTHING ? undefined : forms.lossyNames[forms.lossyOf[choice % count]!];
  const storedBytes = choice === KEEP_NOTHING ? 0 : storedBytesOf(problem, i, choice % count);
  const utility = utilityOf(problem, i, choice);
  const pricePaid = tier < 0 ? 0 : prices.of(i, tier, choice) * storedBytes;
  return {
    tier: tier < 0 ? RECOMPUTE : tiers[tier]!.name,
    method: lossy?.method ?? UNCOMPRESSED,
    compressionRatio: lossy?.compressionRatio ?? 0,
    quality: qualityOf(problem, choice),
    ttftSeconds: ttftOf(problem, i, choice),
    storedBytes,
    utility,
    pricePaid,
    net: utility - pricePaid,
    chosen,
  };
}

/** Every net is f·(alpha·share·quality − ttft) − price·bytes, so each threshold is the root of a line. */
function flipsOf(
  problem: Problem,
  i: number,
  chosen: ExplainedOption,
  rival: ExplainedOption,
  prices: Float64Array,
): Flips {
  const { demand, alpha, tiers } = problem;
  const f = demand.accesses[i]!;
  const ahead = chosen.net - rival.net;
  const perAccess = (option: ExplainedOption) =>
    alpha * demand.requestShare[i]! * option.quality - option.ttftSeconds;
  const accesses = (chosen.pricePaid - rival.pricePaid) / (perAccess(chosen) - perAccess(rival));
  const perQuality = f * alpha * demand.requestShare[i]!;
  const exact = chosen.method === UNCOMPRESSED;
  const quality = exact ? rival.quality + ahead / perQuality : chosen.quality - ahead / perQuality;
  const tier = tiers.findIndex(({ name }) => name === (chosen.tier === RECOMPUTE ? rival.tier : chosen.tier));
  const bytesIn = (option: ExplainedOption) => (option.tier === tiers[tier]?.name ? option.storedBytes : 0);
  const row = couplingRows(problem).findIndex((entry) => entry.kind === 'capacity' && entry.tier === tier);
  const price = row < 0 ? Number.NaN : prices[row]! + ahead / (bytesIn(chosen) - bytesIn(rival));
  const movable = exact ? rival.method !== UNCOMPRESSED : true;
  const reachable = Number.isFinite(price) && price >= 0;
  const bytes = reachable ? capacityAt(problem, prices, row, price) : undefined;
  return {
    ...(Number.isFinite(accesses) && accesses > 0 ? { accesses } : {}),
    ...(movable && quality >= 0 && quality <= 1
      ? { quality: { of: exact ? ('rival' as const) : ('chosen' as const), value: quality } }
      : {}),
    ...(reachable ? { price: { tier: tiers[tier]!.name, value: price } } : {}),
    ...(bytes === undefined ? {} : { capacity: { tier: tiers[tier]!.name, bytes } }),
  };
}

/** What all contexts together would store in a tier at another price of it. @param row of its capacity. */
function capacityAt(problem: Problem, prices: Float64Array, row: number, price: number): number {
  const rows = couplingRows(problem);
  const lagrangian = wholeLagrangian(problem, rows);
  const use = new Float64Array(rows.length);
  lagrangian.choose(
    prices.map((now, r) => (r === row ? price : now)),
    use,
  );
  return use[row]!;
}
