import type { SizePoint } from '../formats/size.js';
import { formatBytes, formatSeconds, formatShare, significant } from '../units.js';
import { planeChart } from './chart.js';
import { paretoFront } from './pareto.js';

/** A plan at one alpha, or a fixed rule, on the plane of TTFT and quality. */
export interface ParetoPoint {
  readonly name: string;
  readonly alpha?: number;
  readonly meanTtftSeconds: number;
  readonly meanQuality: number;
}

/** Width of the bars, in characters. */
const BAR = 16;
/** Size of the chart, in characters, and its marks. */
const CHART_WIDTH = 72;
const CHART_HEIGHT = 14;
const PLAN_MARK = '*';
const RULE_MARK = 'o';

/** One row per point, the knee marked, TTFT also as a bar. */
export function sizeTable(
  points: readonly SizePoint[],
  tiers: readonly string[],
  knee: SizePoint | undefined,
): [string[], string[][]] {
  const money = points.some((point) => point.moneyPerMonth !== undefined);
  const longest = Math.max(...points.map((point) => point.meanTtftSeconds), Number.MIN_VALUE);
  return [
    [
      ...tiers,
      'mean TTFT',
      'quality',
      'hit share',
      ...(money ? ['per month'] : []),
      ...tiers.map((tier) => `1 GB more of ${tier}`),
      'TTFT'.padEnd(BAR),
    ],
    points.map((point) => [
      ...tiers.map((tier) => formatBytes(point.capacities[tier]!)),
      formatSeconds(point.meanTtftSeconds),
      point.meanQuality.toFixed(4),
      formatShare(point.hitShare),
      ...(money ? [point.moneyPerMonth === undefined ? '' : point.moneyPerMonth.toFixed(2)] : []),
      ...tiers.map((tier) => formatSeconds((point.price?.[tier] ?? 0) * 1e9)),
      `${bar(point.meanTtftSeconds / longest)}${point === knee ? ' ◄ knee' : ''}`.padEnd(BAR + 7),
    ]),
  ];
}

function bar(share: number): string {
  return '█'.repeat(Math.max(share > 0 ? 1 : 0, Math.round(share * BAR)));
}

/** The front over alpha and the fixed rules, as head and rows of a table; what nothing beats is starred. */
export function paretoTable(points: readonly ParetoPoint[]): [string[], string[][]] {
  const front = new Set(
    paretoFront(
      points,
      (point) => point.meanTtftSeconds,
      (point) => point.meanQuality,
    ),
  );
  return [
    ['plan', 'mean TTFT', 'quality', 'unbeaten'],
    [...points]
      .sort((a, b) => a.meanTtftSeconds - b.meanTtftSeconds)
      .map((point) => [
        point.name,
        formatSeconds(point.meanTtftSeconds),
        point.meanQuality.toFixed(4),
        front.has(point) ? '*' : '',
      ]),
  ];
}

/** The same as a chart: quality by mean TTFT, plans before fixed rules. */
export function paretoChart(points: readonly ParetoPoint[]): string {
  const marked = points.map(({ alpha, meanTtftSeconds, meanQuality }) => ({
    x: meanTtftSeconds,
    y: meanQuality,
    mark: alpha === undefined ? RULE_MARK : PLAN_MARK,
  }));
  // Plans are drawn last: they win a cell that they share with a rule.
  const rulesFirst = [...marked].sort((a, b) => (a.mark === b.mark ? 0 : a.mark === RULE_MARK ? -1 : 1));
  const plane = planeChart(rulesFirst, {
    width: CHART_WIDTH,
    height: CHART_HEIGHT,
    showX: formatSeconds,
    showY: (value) => value.toFixed(3),
  });
  return `Quality by mean TTFT: ${PLAN_MARK} plans, ${RULE_MARK} fixed rules\n${plane}`;
}

/** Where more room begins to gain less than on average. */
export interface Knee {
  readonly point: SizePoint;
  /** Of the utility to be gained over the whole range, what is reached here, 0 to 1. */
  readonly share: number;
}

/** What the sweep says, in a sentence or two. */
export function sizeSentence(
  points: readonly SizePoint[],
  tiers: readonly string[],
  knee: Knee | undefined,
): string {
  const [first, last] = [points[0]!, points.at(-1)!];
  const room = (point: SizePoint) =>
    tiers.map((tier) => `${formatBytes(point.capacities[tier]!)} of ${tier}`).join(' and ');
  if (points.length === 1)
    return `With ${room(first)} mean TTFT is ${formatSeconds(first.meanTtftSeconds)} at quality ${first.meanQuality.toFixed(4)}.`;
  const qualities = [first, last].map(({ meanQuality }) => meanQuality.toFixed(3));
  const quality = qualities[0] === qualities[1] ? '' : ` and quality from ${qualities[0]} to ${qualities[1]}`;
  const range = `From ${room(first)} to ${room(last)} mean TTFT goes from ${formatSeconds(first.meanTtftSeconds)} to ${formatSeconds(last.meanTtftSeconds)}${quality}.`;
  if (knee === undefined) return `${range} There is no knee in this range: look at another.`;
  const { point, share } = knee;
  const money = point.moneyPerMonth === undefined ? '' : `, ${point.moneyPerMonth.toFixed(2)} a month`;
  return `${range} The knee is at ${room(point)} (${formatSeconds(point.meanTtftSeconds)}, quality ${point.meanQuality.toFixed(4)}${money}), with ${significant(100 * share)} % of that improvement: past it a GB gains less than on average.`;
}
