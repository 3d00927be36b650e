import type { PolicyResult } from '../../formats/replay.js';
import { formatSeconds } from '../../units.js';
import { listOf } from '../answer.js';
import type { FigureKind, Panel } from '../figure.js';
import { paretoFront } from '../pareto.js';
import { logName, ROLE_COLOUR, ROLE_SHAPE, roleOf, secondsLabel } from './words.js';

/** Policies on the plane of mean TTFT and mean quality, with the front that nobody beats in both. */
export const policyPlane: FigureKind = {
  name: 'policies',
  draw({ replays }) {
    const compared = replays.filter((replay) => new Set(replay.policies.map((p) => p.meanQuality)).size > 1);
    if (compared.length === 0) return undefined;
    const readings = compared.map((replay, i) => {
      const front = frontOf(replay.policies).map((p) => p.policy);
      return `${compared.length > 1 ? `${logName(replay, i)}: ` : ''}${listOf(front)} ${front.length === 1 ? 'is' : 'are'} on the front: no other policy is both faster and better.`;
    });
    return {
      id: 'policies',
      title: 'Policies: speed against quality',
      reading: `Up and to the left is better. ${readings.join(' ')}`,
      source: 'simulated by evicpress replay on the log, from the tiers’ and methods’ profiles',
      panels: compared.map((replay, i) => panel(replay.policies, logName(replay, i))),
    };
  },
};

function frontOf(policies: readonly PolicyResult[]): PolicyResult[] {
  const real = policies.filter((policy) => policy.saturated !== true && roleOf(policy.policy) !== 'bound');
  return paretoFront(
    real,
    (policy) => policy.ttft.mean,
    (policy) => policy.meanQuality,
  );
}

/** Policies nearer to each other than this share of the plane carry one label between them. */
const SAME_PLACE = 0.03;

/** The label of each policy; of those in one place the first names them all. */
function labelsOf(policies: readonly PolicyResult[]): Map<string, string> {
  const width = spread(policies.map((policy) => policy.ttft.mean));
  const height = spread(policies.map((policy) => policy.meanQuality));
  const places: PolicyResult[][] = [];
  for (const policy of policies) {
    const place = places.find(
      ([first]) =>
        Math.abs(first!.ttft.mean - policy.ttft.mean) < SAME_PLACE * width &&
        Math.abs(first!.meanQuality - policy.meanQuality) < SAME_PLACE * height,
    );
    if (place === undefined) places.push([policy]);
    else place.push(policy);
  }
  return new Map(places.map((place) => [place[0]!.policy, place.map((policy) => policy.policy).join(', ')]));
}

/** A label is about this share of a narrow plane wide, and this share high. */
const LABEL = { width: 0.3, height: 0.07 };

/** Of labels that would run into their left neighbour's, every second stands below its mark. */
function labelledBelow(policies: readonly PolicyResult[]): Set<string> {
  const width = spread(policies.map((policy) => policy.ttft.mean));
  const height = spread(policies.map((policy) => policy.meanQuality));
  const below = new Set<string>();
  const placed: PolicyResult[] = [];
  for (const policy of [...policies].sort((a, b) => a.ttft.mean - b.ttft.mean)) {
    const neighbour = placed.findLast(
      (other) =>
        policy.ttft.mean - other.ttft.mean < LABEL.width * width &&
        Math.abs(policy.meanQuality - other.meanQuality) < LABEL.height * height,
    );
    if (neighbour !== undefined && !below.has(neighbour.policy)) below.add(policy.policy);
    placed.push(policy);
  }
  return below;
}

/** How far apart the ends of a list are; 1 where it has one place only. */
function spread(values: readonly number[]): number {
  return Math.max(...values) - Math.min(...values) || 1;
}

function panel(policies: readonly PolicyResult[], name: string): Panel {
  const front = new Set(frontOf(policies).map((policy) => policy.policy));
  const labels = labelsOf(policies);
  const below = labelledBelow(policies.filter((policy) => labels.has(policy.policy)));
  const values = policies.map((policy) => ({
    policy: policy.policy,
    role: roleOf(policy.policy),
    front: front.has(policy.policy),
    label: labels.get(policy.policy) ?? '',
    below: below.has(policy.policy),
    ttft: policy.ttft.mean,
    p99: policy.ttft.p99,
    quality: policy.meanQuality,
    p10: policy.p10Quality,
    hits: policy.prefixHitRate,
  }));
  const x = {
    field: 'ttft',
    type: 'quantitative',
    title: 'mean TTFT',
    scale: { zero: false, padding: 24 },
    axis: { labelExpr: secondsLabel('datum.value') },
  };
  const y = {
    field: 'quality',
    type: 'quantitative',
    title: 'mean quality',
    scale: { zero: false, padding: 16 },
    axis: { format: '.3~f' },
  };
  return {
    name,
    description: `Scatter of policies on ${name}: ${policies.map((p) => `${p.policy} ${formatSeconds(p.ttft.mean)} at quality ${p.meanQuality.toFixed(3)}`).join('; ')}.`,
    spec: {
      height: 320,
      data: { values },
      transform: [
        { calculate: secondsLabel('datum.ttft'), as: 'ttftText' },
        { calculate: secondsLabel('datum.p99'), as: 'p99Text' },
      ],
      encoding: { x, y },
      layer: [
        {
          transform: [{ filter: 'datum.front' }],
          mark: {
            type: 'line',
            interpolate: 'step-after',
            color: '$accent',
            strokeDash: [5, 4],
            strokeWidth: 1.5,
          },
          encoding: { order: { field: 'ttft', type: 'quantitative' } },
        },
        {
          mark: { type: 'point', size: 110, stroke: '$ground', strokeWidth: 1.5 },
          encoding: {
            color: ROLE_COLOUR,
            shape: ROLE_SHAPE,
            tooltip: [
              { field: 'policy', title: 'policy' },
              { field: 'ttftText', title: 'mean TTFT' },
              { field: 'p99Text', title: 'p99 TTFT' },
              { field: 'quality', title: 'mean quality', format: '.4f' },
              { field: 'p10', title: 'worst tenth at most', format: '.4f' },
              { field: 'hits', title: 'prefix hit rate', format: '.1%' },
            ],
          },
        },
        ...[false, true].map((below) => ({
          transform: [{ filter: `datum.below === ${below}` }],
          mark: { type: 'text', dy: below ? 17 : -13, fontSize: 12, limit: 160 },
          encoding: { text: { field: 'label' } },
        })),
      ],
    },
  };
}
