import { formatSeconds, significant } from '../../units.js';
import type { FigureKind } from '../figure.js';
import { totalRequests } from '../placements.js';
import { secondsLabel } from './words.js';

/** What one more GB in each tier would be worth: the shadow prices. */
export const prices: FigureKind = {
  name: 'prices',
  draw({ plan }) {
    if (plan === undefined) return undefined;
    const requests = totalRequests(plan.placements);
    const finite = plan.header.tiers.filter((tier) => tier.capacityBytes !== null);
    if (requests === 0 || finite.length === 0) return undefined;
    const values = finite.map((tier) => ({ tier: tier.name, worth: (tier.price * 1e9) / requests }));
    const paid = values.filter((value) => value.worth > 0).sort((a, b) => b.worth - a.worth);
    const exchange = paid
      .slice(1)
      .map((value) => ` It is worth ${significant(paid[0]!.worth / value.worth)} GB of ${value.tier}.`)
      .join('');
    return {
      id: 'prices',
      title: 'What one more GB is worth',
      reading:
        paid.length === 0
          ? 'Nothing: every finite tier has room to spare.'
          : `One more GB of ${paid[0]!.tier} saves ${formatSeconds(paid[0]!.worth)} per request.${exchange}`,
      source: 'shadow prices from the solver’s dual; they hold for small changes of capacity',
      panels: [
        {
          name: 'prices',
          description: `Worth of one more GB: ${values.map((v) => `${v.tier} ${formatSeconds(v.worth)} per request`).join('; ')}.`,
          spec: {
            height: { step: 40 },
            data: { values },
            transform: [{ calculate: secondsLabel('datum.worth'), as: 'text' }],
            encoding: {
              y: { field: 'tier', type: 'nominal', sort: null, title: null, axis: { ticks: false } },
              x: {
                field: 'worth',
                type: 'quantitative',
                title: 'TTFT saved per request',
                axis: { labelExpr: secondsLabel('datum.value') },
              },
              tooltip: [
                { field: 'tier', title: 'tier' },
                { field: 'text', title: 'saved per request by one more GB' },
              ],
            },
            layer: [
              { mark: { type: 'bar', color: '$accent', height: { band: 0.6 } } },
              { mark: { type: 'text', align: 'left', dx: 6 }, encoding: { text: { field: 'text' } } },
            ],
          },
        },
      ],
    };
  },
};
