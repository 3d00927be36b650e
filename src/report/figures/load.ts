import type { ReplayResult } from '../../formats/replay.js';
import { formatSeconds } from '../../units.js';
import type { FigureKind, Panel } from '../figure.js';
import { logAxis, logName, policyLines, roleOf, secondsLabel } from './words.js';

/** Of loads that break the target only those near it are drawn: waiting grows without end beyond. */
const FAR_BEYOND = 10;

/** The TTFT at other loads, where the replay was asked when a target breaks. */
export const load: FigureKind = {
  name: 'load',
  draw({ replays }) {
    const panels = replays.flatMap((replay, i) => panelsOf(replay, logName(replay, i)));
    if (panels.length === 0) return undefined;
    return {
      id: 'load',
      title: 'How much load each policy bears',
      reading: `${panels.map(({ reading }) => reading).join(' ')} The dashed line is the target.`,
      source: 'the replay’s queues at other rates of arrival, the log’s order kept',
      panels: panels.map(({ panel }) => panel),
    };
  },
};

function panelsOf({ policies }: ReplayResult, name: string): { reading: string; panel: Panel }[] {
  const swept = policies.flatMap(({ policy, sweep }) => (sweep === undefined ? [] : [{ policy, sweep }]));
  const target = swept[0]?.sweep.target;
  if (target === undefined) return [];
  const { statistic, seconds } = target;
  const values = swept.flatMap(({ policy, sweep }) =>
    sweep.points
      .filter((point) => point.ttft[statistic] > 0 && point.ttft[statistic] <= FAR_BEYOND * seconds)
      .map((point) => ({
        policy,
        rate: point.requestsPerSecond,
        load: point.load,
        ttft: point.ttft[statistic],
      })),
  );
  if (values.length === 0) return [];
  const real = swept.filter(({ policy }) => roleOf(policy) !== 'bound');
  const best = (real.length > 0 ? real : swept).reduce((a, b) =>
    b.sweep.maxRequestsPerSecond > a.sweep.maxRequestsPerSecond ? b : a,
  );
  const reading = `On ${name} ${best.policy} bears the most, the bound aside: ${best.sweep.maxRequestsPerSecond.toPrecision(3)} requests a second with a ${statistic} TTFT of at most ${formatSeconds(seconds)}.`;
  const y = logAxis(secondsLabel('datum.value'));
  const spec = {
    height: 260,
    data: { values },
    transform: [{ calculate: secondsLabel('datum.ttft'), as: 'ttftText' }],
    layer: [
      {
        mark: { type: 'line', point: { size: 14 } },
        encoding: {
          x: { field: 'rate', title: 'requests per second', ...logAxis("format(datum.value, '~g')") },
          y: { field: 'ttft', title: `${statistic} TTFT`, ...y },
          ...policyLines(swept.map(({ policy }) => policy)),
          tooltip: [
            { field: 'policy', title: 'policy' },
            { field: 'rate', title: 'requests per second', format: '.3~g' },
            { field: 'load', title: 'times the log’s rate', format: '.3~g' },
            { field: 'ttftText', title: `${statistic} TTFT` },
          ],
        },
      },
      { mark: { type: 'rule', strokeDash: [4, 4], aria: false }, encoding: { y: { datum: seconds, ...y } } },
    ],
  };
  const description = `${statistic} TTFT against requests per second on ${name}. ${reading}`;
  return [{ reading, panel: { name, description, spec } }];
}
