import type { ReplayResult } from '../../formats/replay.js';
import { formatCount } from '../../units.js';
import type { FigureKind, Panel } from '../figure.js';
import { logName, policyLines, secondsLabel } from './words.js';

/** Windows of a long log are merged down to this many: more than a screen has room for says no more. */
const MAX_WINDOWS = 240;

/** Hit share and TTFT over the log's time, policy by policy. */
export const overTime: FigureKind = {
  name: 'time',
  draw({ replays }) {
    const panels = replays.flatMap((replay, i) => panelsOf(replay, logName(replay, i)));
    if (panels.length === 0) return undefined;
    return {
      id: 'time',
      title: 'Over time',
      reading: 'How the policies fare as the log goes on; choose a policy to see it alone.',
      source: 'simulated by evicpress replay on the log, in windows of the log’s own clock',
      panels,
    };
  },
};

function panelsOf(replay: ReplayResult, name: string): Panel[] {
  const values = replay.policies.flatMap((policy) => {
    const series = policy.series ?? [];
    const step = Math.ceil(series.length / MAX_WINDOWS);
    return series.flatMap((_, i) =>
      i % step === 0 ? [merged(series.slice(i, i + step), policy.policy)] : [],
    );
  });
  if (values.length === 0) return [];
  const policies = [...new Set(values.map((value) => value.policy))];
  return [
    timePanel(`${name}: hit share`, values, policies, 'hitShare', 'share of reusable tokens', {
      axis: { format: '.0%' },
    }),
    timePanel(`${name}: mean TTFT`, values, policies, 'ttft', 'mean TTFT', {
      axis: { labelExpr: secondsLabel('datum.value') },
    }),
    ...(values.some((value) => value.quality < 1)
      ? [
          timePanel(`${name}: quality`, values, policies, 'quality', 'mean quality', {
            scale: { zero: false },
          }),
        ]
      : []),
  ];
}

type Series = NonNullable<ReplayResult['policies'][number]['series']>;

/** Several windows as one: hits weighted with the tokens they are a share of, all else with requests. */
function merged(windows: Series, policy: string) {
  type Figure = (window: Series[number]) => number;
  const sum = (of: Figure) => windows.reduce((total, window) => total + of(window), 0);
  const mean = (of: Figure, weight: Figure) => {
    const whole = sum(weight);
    return whole === 0 ? 0 : sum((window) => weight(window) * of(window)) / whole;
  };
  const requestsOf: Figure = (window) => window.requests;
  return {
    policy,
    minutes: windows[0]!.startSeconds / 60,
    requests: sum(requestsOf),
    hitShare: mean(
      (window) => window.hitShare,
      (window) => window.reusableTokens ?? window.requests,
    ),
    ttft: mean((window) => window.meanTtftSeconds, requestsOf),
    quality: mean((window) => window.meanQuality, requestsOf),
  };
}

function timePanel(
  name: string,
  values: readonly { readonly requests: number }[],
  policies: readonly string[],
  field: string,
  title: string,
  y: object,
): Panel {
  return {
    name,
    description: `${title} over time for ${policies.join(', ')}; ${formatCount(values.length)} points.`,
    spec: {
      height: 220,
      data: { values: values.filter((value) => value.requests > 0) },
      params: [
        {
          name: 'policy',
          value: null,
          bind: {
            input: 'select',
            options: [null, ...policies],
            labels: ['all', ...policies],
            name: 'policy ',
          },
        },
      ],
      transform: [{ filter: 'policy === null || datum.policy === policy' }],
      mark: { type: 'line', ...(values.length / policies.length <= 60 ? { point: { size: 14 } } : {}) },
      encoding: {
        x: { field: 'minutes', type: 'quantitative', title: 'minutes into the log', scale: { zero: false } },
        y: { field, type: 'quantitative', title, ...y },
        ...policyLines(policies),
        tooltip: [
          { field: 'policy', title: 'policy' },
          { field: 'minutes', title: 'minute', format: '.1f' },
          { field: 'requests', title: 'requests' },
          { field: 'hitShare', title: 'hit share', format: '.1%' },
          { field: 'ttft', title: 'mean TTFT, s', format: '.3~g' },
          { field: 'quality', title: 'mean quality', format: '.4f' },
        ],
      },
    },
  };
}
