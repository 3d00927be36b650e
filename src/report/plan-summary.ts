import { printable } from '../errors.js';
import { RECOMPUTE, UNCOMPRESSED } from '../formats/names.js';
import type { PlacementGroup } from '../formats/placement-groups.js';
import { type PlanHeader, QUALITY_STEP } from '../formats/plan.js';
import { formatBytes, formatCount, formatSeconds, formatShare, significant } from '../units.js';

/** What is stored where: one row per tier, method and ratio, as head and rows of a table. */
export function planTable(header: PlanHeader, groups: Iterable<PlacementGroup>): [string[], string[][]] {
  const order = [...header.tiers.map((tier) => tier.name), RECOMPUTE];
  const sorted = [...groups].sort(
    (a, b) => order.indexOf(a.tier) - order.indexOf(b.tier) || b.requests - a.requests,
  );
  const requests = sorted.reduce((sum, group) => sum + group.requests, 0);
  return [
    ['tier', 'stored as', 'contexts', 'bytes', 'accesses'],
    sorted.map((group) => [
      group.tier,
      group.tier === RECOMPUTE ? '' : formOf(group),
      formatCount(group.contexts),
      group.tier === RECOMPUTE ? '' : formatBytes(group.storedBytes),
      formatShare(requests === 0 ? 0 : group.requests / requests),
    ]),
  ];
}

function formOf({ method, compressionRatio }: PlacementGroup): string {
  return method === UNCOMPRESSED ? 'whole' : `${method}@${compressionRatio}`;
}

/** What is said of a plan without a context. */
export const NOTHING_PLANNED = 'Nothing is asked for a second time: there is no context to keep.';

/** The plan in sentences: what it gives, what is proved, what more room would be worth. */
export function planSummaryText(header: PlanHeader, solveSeconds: number, output: string): string {
  const { summary, tiers, objective } = header;
  if (summary.contexts === 0) return `\n${NOTHING_PLANNED} Plan written to ${output}.`;
  const lines = [
    '',
    `Mean TTFT ${formatSeconds(summary.meanTtftSeconds)} at mean quality ${summary.meanQuality.toFixed(4)} (alpha ${Number(objective.alpha.toPrecision(4))}), ${formatCount(summary.contexts)} contexts, solved by ${summary.solver} in ${formatSeconds(solveSeconds)}.`,
    ...targetText(header),
    proofText(header),
    ...tiers.flatMap((tier) => priceText(header, tier)),
    ...(header.limits ?? []).map(limitText),
    ...(summary.moneyPerMonth === undefined
      ? []
      : [`What is stored costs ${significant(summary.moneyPerMonth)} a month.`]),
    `Plan written to ${output}.`,
  ];
  return lines.join('\n');
}

function targetText({ objective, summary }: PlanHeader): string[] {
  const { meanQuality } = objective;
  if (meanQuality === undefined || summary.meanQuality <= meanQuality + QUALITY_STEP) return [];
  return [
    `No plan was found whose mean quality is nearer above ${meanQuality}: the contexts that would change weigh too much in the mean.`,
  ];
}

function proofText({ summary }: PlanHeader): string {
  if (summary.gap <= Math.abs(summary.bound) * 1e-12)
    return `Proved optimal: no plan has a higher utility than ${significant(summary.utility, 6)} s.`;
  return `Proved: no plan can be better by more than ${significant(summary.gap)} s of utility, ${summary.gapOfSpan.toExponential(1)} of what is to be won.`;
}

/** Where more than this share of a tier is free and has a price, nothing that is worth it fits whole: the price is the bound's. */
const LEFT_OVER = 0.01;

/** Whether a tier is full but for what is too small to matter. */
export function isFull({ capacityBytes, usedBytes }: PlanHeader['tiers'][number]): boolean {
  return capacityBytes !== null && capacityBytes - usedBytes <= LEFT_OVER * capacityBytes;
}

function priceText(header: PlanHeader, tier: PlanHeader['tiers'][number]): string[] {
  if (tier.capacityBytes === null) return [`${tier.name}: ${formatBytes(tier.usedBytes)} used, unlimited.`];
  // Nothing was on offer there, so its price says nothing.
  if (tier.capacityBytes === 0) return [`${tier.name}: no room; what some would be worth was not looked at.`];
  const used = `${tier.name}: ${formatBytes(tier.usedBytes)} of ${formatBytes(tier.capacityBytes)} used`;
  if (tier.price === 0) return [`${used}; more room is worth nothing.`];
  const one = isFull(tier) ? 'one' : 'by the bound, which may keep parts of contexts, one';
  const perGb = tier.price * 1e9;
  const others = header.tiers.filter((other) => other !== tier && other.price > 0);
  const exchange = others
    .map((other) => ` or ${significant(perGb / (other.price * 1e9))} GB of ${other.name}`)
    .join('');
  return [
    `${used}; ${one} more GB is worth ${formatSeconds(perGb)} of waiting per period${exchange === '' ? '' : `, as much as${exchange.slice(3)}`}.`,
  ];
}

const LIMIT_WORDS = {
  bandwidth: 'loads from',
  tenant: 'stored in',
  writes: 'written to',
  money: 'money a month',
} as const;

function limitText({
  kind,
  tier,
  tenant,
  used,
  limit,
  price,
}: NonNullable<PlanHeader['limits']>[number]): string {
  const money = kind === 'money';
  const amount = money ? (value: number) => significant(value) : formatBytes;
  const what = money ? LIMIT_WORDS[kind] : `${LIMIT_WORDS[kind]} ${tier}`;
  const whose = tenant === undefined ? '' : `${printable(tenant)}: `;
  const more = price * (money ? 1 : 1e9);
  const worth =
    price === 0
      ? 'more would be worth nothing'
      : `one more${money ? '' : ' GB'} is worth ${formatSeconds(more)} of waiting per period`;
  return `${whose}${amount(used)} of ${amount(limit)} ${what}; ${worth}.`;
}
