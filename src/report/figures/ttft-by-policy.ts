import type { ReplayResult } from '../../formats/replay.js';
import { formatSeconds } from '../../units.js';
import type { FigureKind, Panel } from '../figure.js';
import { logName, ROLE_COLOUR, ROLE_SHAPE, roleOf, secondsLabel } from './words.js';

/** TTFT of every policy: the mean as a mark, half to nine tenths of the requests as a bar, to p99 as a line. */
export const ttftByPolicy: FigureKind = {
  name: 'ttft',
  draw({ replays }) {
    if (replays.length === 0) return undefined;
    return {
      id: 'ttft',
      title: 'Time to first token by policy',
      reading:
        'The mark is the mean; the thick line runs from the median to the 90th percentile, the thin one on to the 99th. Whole requests, with the prefill of what is new in each.',
      source: 'simulated by evicpress replay on the log',
      panels: replays.map((replay, i) => panel(replay, logName(replay, i))),
    };
  },
};

function panel({ policies }: ReplayResult, name: string): Panel {
  const values = policies.map((p) => ({ policy: p.policy, role: roleOf(p.policy), ...p.ttft }));
  const ordered = [...policies].sort((a, b) => a.ttft.mean - b.ttft.mean).map((p) => p.policy);
  const label = (field: string) => ({ calculate: secondsLabel(`datum.${field}`), as: `${field}Text` });
  return {
    name,
    description: `TTFT by policy on ${name}: ${policies.map((p) => `${p.policy} mean ${formatSeconds(p.ttft.mean)}, p99 ${formatSeconds(p.ttft.p99)}`).join('; ')}.`,
    spec: {
      height: { step: 34 },
      data: { values },
      transform: ['mean', 'p50', 'p90', 'p99'].map(label),
      encoding: {
        y: {
          field: 'policy',
          type: 'nominal',
          sort: ordered,
          title: null,
          axis: { labelLimit: 130, ticks: false },
        },
        x: {
          type: 'quantitative',
          title: 'TTFT',
          axis: { labelExpr: secondsLabel('datum.value') },
          scale: { nice: true },
        },
        color: ROLE_COLOUR,
        tooltip: [
          { field: 'policy', title: 'policy' },
          { field: 'meanText', title: 'mean' },
          { field: 'p50Text', title: 'median' },
          { field: 'p90Text', title: 'p90' },
          { field: 'p99Text', title: 'p99' },
        ],
      },
      layer: [
        { mark: { type: 'rule', strokeWidth: 1.5 }, encoding: { x: { field: 'p50' }, x2: { field: 'p99' } } },
        {
          mark: { type: 'rule', strokeWidth: 7, opacity: 0.35, strokeCap: 'round' },
          encoding: { x: { field: 'p50' }, x2: { field: 'p90' } },
        },
        {
          mark: { type: 'point', size: 110, stroke: '$ground', strokeWidth: 1.5 },
          encoding: { x: { field: 'mean' }, shape: ROLE_SHAPE },
        },
      ],
    },
  };
}
