import type { SizePoint, SizeResult } from '../../formats/size.js';
import { formatBytes, formatSeconds } from '../../units.js';
import type { FigureKind, Panel, Spec } from '../figure.js';
import { bytesLabel, secondsLabel } from './words.js';

/** What more room gives: TTFT, kept reuse and money against the capacity of one or two tiers, the knee marked. */
export const capacityCurve: FigureKind = {
  name: 'capacity',
  draw({ size }) {
    if (size === undefined) return undefined;
    const tiers = variedTiers(size.points);
    const main = tiers[0];
    if (main === undefined) return undefined;
    const knee = size.knee ?? undefined;
    const atKnee = knee && size.points.find((point) => sameRoom(point, knee.capacities, tiers));
    const money = size.points.some((point) => point.moneyPerMonth !== undefined);
    return {
      id: 'capacity',
      title: 'How much room is enough',
      reading: [
        'Each point is the best plan for that much room.',
        atKnee === undefined
          ? ''
          : `The knee is at ${tiers.map((tier) => `${formatBytes(atKnee.capacities[tier]!)} of ${tier}`).join(' and ')}, with a mean TTFT of ${formatSeconds(atKnee.meanTtftSeconds)}: past it, more room gains little.`,
      ]
        .filter((text) => text !== '')
        .join(' '),
      source: 'solved by evicpress size, one plan per point',
      panels: [
        panel(size, tiers, 'mean TTFT', 'ttft', { axis: { labelExpr: secondsLabel('datum.value') } }),
        panel(size, tiers, 'reuse served from a cache', 'hits', { axis: { format: '.0%' } }),
        ...(money ? [panel(size, tiers, 'money per month', 'money', { axis: { format: ',.3~s' } })] : []),
      ],
    };
  },
};

/** The tiers whose capacity differs between points, the most varied first; all that are named where none does. */
function variedTiers(points: readonly SizePoint[]): string[] {
  const names = [...new Set(points.flatMap((point) => Object.keys(point.capacities)))];
  const values = (tier: string) => new Set(points.map((point) => point.capacities[tier])).size;
  const varied = names.filter((tier) => values(tier) > 1);
  return (varied.length > 0 ? varied : names).sort((a, b) => values(b) - values(a)).slice(0, 2);
}

function sameRoom(
  point: SizePoint,
  capacities: Readonly<Record<string, number>>,
  tiers: readonly string[],
): boolean {
  return tiers.every((tier) => point.capacities[tier] === capacities[tier]);
}

function panel(size: SizeResult, tiers: readonly string[], title: string, field: string, y: Spec): Panel {
  const [main, second] = tiers as [string, string?];
  const values = size.points.map((point) => ({
    room: point.capacities[main],
    other: second === undefined ? undefined : formatBytes(point.capacities[second] ?? 0),
    ttft: point.meanTtftSeconds,
    quality: point.meanQuality,
    hits: point.hitShare,
    money: point.moneyPerMonth,
    knee: size.knee != null && sameRoom(point, size.knee.capacities, tiers),
  }));
  const knee = { transform: [{ filter: 'datum.knee' }] };
  return {
    name: title,
    description: `${title} against the capacity of ${main}: ${values.length} plans.`,
    spec: {
      height: 260,
      data: { values },
      transform: [
        { calculate: bytesLabel('datum.room'), as: 'roomText' },
        { calculate: secondsLabel('datum.ttft'), as: 'ttftText' },
      ],
      encoding: {
        x: {
          field: 'room',
          type: 'quantitative',
          title: `room in ${main}`,
          axis: { labelExpr: bytesLabel('datum.value') },
        },
        y: { field, type: 'quantitative', title, ...y },
      },
      layer: [
        {
          mark: { type: 'line', point: { size: 40 }, ...(second === undefined ? { color: '$accent' } : {}) },
          encoding: {
            ...(second === undefined
              ? {}
              : {
                  color: { field: 'other', type: 'nominal', title: `room in ${second}`, sort: null },
                  strokeDash: { field: 'other', type: 'nominal', title: `room in ${second}`, sort: null },
                }),
            tooltip: [
              { field: 'roomText', title: main },
              ...(second === undefined ? [] : [{ field: 'other', title: second }]),
              { field: 'ttftText', title: 'mean TTFT' },
              { field: 'quality', title: 'mean quality', format: '.4f' },
              { field: 'hits', title: 'served from a cache', format: '.1%' },
              ...(values.some((value) => value.money !== undefined)
                ? [{ field: 'money', title: 'money per month', format: ',.4~g' }]
                : []),
            ],
          },
        },
        { ...knee, mark: { type: 'rule', strokeDash: [4, 4] }, encoding: { y: null } },
        { ...knee, mark: { type: 'point', shape: 'diamond', size: 160, color: '$rival' } },
        { ...knee, mark: { type: 'text', align: 'left', dx: 8, dy: -10, text: 'knee' } },
      ],
    },
  };
}
