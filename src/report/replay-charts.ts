import type { PolicyResult } from '../formats/replay.js';
import { formatSeconds, formatShare } from '../units.js';
import { type ChartPoint, planeChart } from './chart.js';
import { paretoFront } from './pareto.js';

const WIDTH = 72;
const HEIGHT = 14;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/**
 * A replay as charts for a terminal, a letter per policy: the distribution of the TTFT, and quality against mean TTFT
 * where something is compressed, with the policies that no other beats in both.
 */
export function replayCharts(policies: readonly PolicyResult[]): string {
  const shown = policies.slice(0, LETTERS.length);
  const key = shown.map((policy, i) => `${LETTERS[i]} ${policy.policy}`).join(', ');
  const charts = [`Requests answered within a TTFT, which grows logarithmically: ${key}`, cdf(shown)];
  if (shown.some((policy) => policy.meanQuality < 1)) charts.push(...qualityAgainstTtft(shown));
  return charts.join('\n');
}

function cdf(policies: readonly PolicyResult[]): string {
  const points = policies.flatMap(({ ttft }, i) =>
    (ttft.percentiles ?? []).flatMap((seconds, percent): ChartPoint[] =>
      seconds > 0 ? [{ x: Math.log(seconds), y: percent / 100, mark: LETTERS[i]! }] : [],
    ),
  );
  return planeChart(points, {
    width: WIDTH,
    height: HEIGHT,
    showX: (value) => formatSeconds(Math.exp(value)),
    showY: formatShare,
  });
}

function qualityAgainstTtft(policies: readonly PolicyResult[]): string[] {
  const front = paretoFront(
    policies,
    (policy) => policy.ttft.mean,
    (policy) => policy.meanQuality,
  );
  const points = policies.map(({ ttft, meanQuality }, i) => ({
    x: ttft.mean,
    y: meanQuality,
    mark: LETTERS[i]!,
  }));
  return [
    `Quality by mean TTFT; no other is both faster and better than ${front.map((policy) => policy.policy).join(', ')}`,
    planeChart(points, {
      width: WIDTH,
      height: HEIGHT,
      showX: formatSeconds,
      showY: (value) => value.toFixed(3),
    }),
  ];
}
