import { RECOMPUTE, UNCOMPRESSED } from '../../formats/names.js';
import { formatBytes, formatShare } from '../../units.js';
import { listOf } from '../answer.js';
import type { FigureKind } from '../figure.js';
import { type GroupTotal, groupTotals } from '../placements.js';
import { formName } from './words.js';

/** What is stored where, by method and ratio: figure 11 of the EvicPress paper (arXiv 2512.14946) for this plan. */
export const storedWhere: FigureKind = {
  name: 'stored',
  draw({ plan }) {
    if (plan === undefined) return undefined;
    const totals = groupTotals(plan.placements);
    const sums = {
      contexts: sumOf(totals, (group) => group.contexts),
      bytes: sumOf(totals, (group) => group.bytes),
      requests: sumOf(totals, (group) => group.requests),
    };
    const tiers = [...plan.header.tiers.map((tier) => tier.name), RECOMPUTE].filter((tier) =>
      totals.some((group) => group.tier === tier),
    );
    const methods = [
      UNCOMPRESSED,
      ...[...new Set(totals.map((group) => group.method))].filter((name) => name !== UNCOMPRESSED).sort(),
    ];
    const values = totals.map((group) => ({
      tier: group.tier,
      method:
        group.tier === RECOMPUTE ? 'nothing kept' : group.method === UNCOMPRESSED ? 'whole' : group.method,
      form: group.tier === RECOMPUTE ? 'nothing kept' : formName(group.method, group.compressionRatio),
      ratio: group.compressionRatio,
      order: methods.indexOf(group.method) + group.compressionRatio,
      room: formatBytes(group.bytes),
      count: group.contexts,
      accesses: share(group.requests, sums.requests),
      contexts: share(group.contexts, sums.contexts),
      bytes: share(group.bytes, sums.bytes),
    }));
    return {
      id: 'stored',
      title: 'What is stored where',
      reading: reading(totals, tiers, sums.requests),
      source: 'computed from the plan’s rows',
      panels: [
        {
          name: 'stored',
          description: `Stacked bars by tier: ${values.map((v) => `${v.tier} ${v.form} ${formatShare(v.accesses)} of the accesses in ${v.room}`).join('; ')}.`,
          spec: {
            height: { step: 44 },
            data: { values },
            params: [
              {
                name: 'measure',
                value: 'accesses',
                bind: {
                  input: 'select',
                  options: ['accesses', 'bytes', 'contexts'],
                  labels: ['share of accesses', 'share of bytes', 'share of contexts'],
                  name: 'show ',
                },
              },
            ],
            transform: [{ calculate: 'datum[measure]', as: 'shown' }],
            mark: { type: 'bar', height: { band: 0.72 }, stroke: '$ground', strokeWidth: 1 },
            encoding: {
              y: { field: 'tier', type: 'nominal', sort: tiers, title: null, axis: { ticks: false } },
              x: {
                field: 'shown',
                type: 'quantitative',
                title: 'share of the whole',
                axis: { format: '.0%' },
              },
              color: {
                field: 'method',
                type: 'nominal',
                title: 'method',
                sort: null,
              },
              opacity: {
                field: 'ratio',
                type: 'quantitative',
                scale: { domain: [0, 1], range: [1, 0.45] },
                legend: null,
              },
              order: { field: 'order' },
              tooltip: [
                { field: 'tier', title: 'tier' },
                { field: 'form', title: 'stored as' },
                { field: 'room', title: 'bytes' },
                { field: 'count', title: 'contexts', format: ',' },
                { field: 'accesses', title: 'share of accesses', format: '.2%' },
                { field: 'bytes', title: 'share of bytes', format: '.2%' },
              ],
            },
          },
        },
      ],
    };
  },
};

function reading(totals: readonly GroupTotal[], tiers: readonly string[], requests: number): string {
  const parts = tiers.map((tier) => {
    const groups = totals.filter((group) => group.tier === tier);
    const accesses = formatShare(
      share(
        sumOf(groups, (g) => g.requests),
        requests,
      ),
    );
    if (tier === RECOMPUTE) return `${accesses} is recomputed`;
    return `${tier} serves ${accesses} from ${formatBytes(sumOf(groups, (g) => g.bytes))}`;
  });
  const lossy = totals.some((group) => group.method !== UNCOMPRESSED);
  return `Of the accesses, ${listOf(parts)}.${lossy ? ' Paler is compressed harder.' : ' Nothing is compressed.'}`;
}

function sumOf(totals: readonly GroupTotal[], of: (group: GroupTotal) => number): number {
  return totals.reduce((sum, group) => sum + of(group), 0);
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
