import type { ReplayResult } from '../../formats/replay.js';
import { formatShare } from '../../units.js';
import type { FigureKind, Panel } from '../figure.js';
import { logName, roleOf } from './words.js';

/** From which tier each policy serves what an unlimited cache would serve. */
export const hitShare: FigureKind = {
  name: 'hits',
  draw({ replays }) {
    const panels = replays.map((replay, i) => panel(replay, logName(replay, i)));
    if (panels.length === 0) return undefined;
    return {
      id: 'hits',
      title: 'Where hits come from',
      reading:
        'Of the tokens that an unlimited cache would serve, the share that each tier serves; what is missing to 100 % is computed anew.',
      source: 'simulated by evicpress replay on the log',
      panels,
    };
  },
};

function panel({ policies }: ReplayResult, name: string): Panel {
  const tiers = [...new Set(policies.flatMap((policy) => Object.keys(policy.hitShare)))];
  const values = policies.flatMap((policy) =>
    tiers.map((tier, order) => ({
      policy: policy.policy,
      role: roleOf(policy.policy),
      tier,
      order,
      share: policy.hitShare[tier] ?? 0,
    })),
  );
  const total = (shares: Readonly<Record<string, number>>) =>
    Object.values(shares).reduce((sum, share) => sum + share, 0);
  const ordered = [...policies].sort((a, b) => total(b.hitShare) - total(a.hitShare)).map((p) => p.policy);
  return {
    name,
    description: `Hit share by policy and tier on ${name}: ${policies.map((p) => `${p.policy} ${formatShare(total(p.hitShare))}`).join('; ')}.`,
    spec: {
      height: { step: 30 },
      data: { values },
      mark: { type: 'bar', height: { band: 0.7 }, stroke: '$ground', strokeWidth: 1 },
      encoding: {
        y: {
          field: 'policy',
          type: 'nominal',
          sort: ordered,
          title: null,
          axis: { labelLimit: 130, ticks: false },
        },
        x: {
          field: 'share',
          type: 'quantitative',
          title: 'share of reusable tokens',
          axis: { format: '.0%' },
        },
        color: { field: 'tier', type: 'nominal', sort: tiers, title: 'tier' },
        order: { field: 'order' },
        tooltip: [
          { field: 'policy', title: 'policy' },
          { field: 'tier', title: 'tier' },
          { field: 'share', title: 'share of reusable tokens', format: '.1%' },
        ],
      },
    },
  };
}
