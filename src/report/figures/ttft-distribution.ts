import type { ReplayResult } from '../../formats/replay.js';
import type { FigureKind, Panel } from '../figure.js';
import { logAxis, logName, policyLines, secondsLabel } from './words.js';

/** The share of requests answered within a time, policy by policy: what means and a few quantiles leave out. */
export const ttftDistribution: FigureKind = {
  name: 'distribution',
  draw({ replays }) {
    const panels = replays.flatMap((replay, i) => panelsOf(replay, logName(replay, i)));
    if (panels.length === 0) return undefined;
    return {
      id: 'distribution',
      title: 'Requests answered within a time',
      reading:
        'The further a line lies to the left, the sooner that share of requests had its first token. Time grows logarithmically.',
      source: 'simulated by evicpress replay on the log; whole percents of the requests',
      panels,
    };
  },
};

function panelsOf({ policies }: ReplayResult, name: string): Panel[] {
  const values = policies.flatMap(({ policy, ttft }) =>
    // A logarithm has no room for requests that take no time.
    (ttft.percentiles ?? []).flatMap((seconds, percent) =>
      seconds > 0 ? [{ policy, seconds, share: percent / 100 }] : [],
    ),
  );
  if (values.length === 0) return [];
  const drawn = [...new Set(values.map((value) => value.policy))];
  return [
    {
      name,
      description: `Share of requests answered within a TTFT on ${name}, for ${drawn.join(', ')}.`,
      spec: {
        height: 260,
        data: { values },
        transform: [{ calculate: secondsLabel('datum.seconds'), as: 'secondsText' }],
        mark: { type: 'line', interpolate: 'linear' },
        encoding: {
          x: { field: 'seconds', title: 'TTFT', ...logAxis(secondsLabel('datum.value')) },
          y: {
            field: 'share',
            type: 'quantitative',
            title: 'share of requests',
            scale: { domain: [0, 1] },
            axis: { format: '.0%' },
          },
          order: { field: 'share' },
          ...policyLines(drawn),
          tooltip: [
            { field: 'policy', title: 'policy' },
            { field: 'share', title: 'share of requests', format: '.0%' },
            { field: 'secondsText', title: 'TTFT at most' },
          ],
        },
      },
    },
  ];
}
