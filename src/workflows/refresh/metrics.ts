import { join } from 'node:path';
import type { Plan } from '../../formats/plan.js';
import type { TurnResult } from './outcome.js';
import { writeDurably } from './private-files.js';
import type { RefreshState } from './state.js';

/** Metrics are for the collector, which is another user. */
const PUBLIC_FILE = 0o644;

/** A metric as Prometheus knows it. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
}

/** Every metric that refresh writes; alert rules and dashboard use no others. */
export const METRICS = {
  lastTurn: gauge('refresh_last_turn_timestamp_seconds', 'When the last turn began.'),
  duration: gauge('refresh_last_turn_duration_seconds', 'How long the last turn took.'),
  failed: gauge('refresh_last_turn_failed', '1 when the last turn ended in an error.'),
  outcome: gauge('refresh_last_turn_outcome', '1 for the outcome of the last turn.'),
  decidedAt: gauge(
    'refresh_last_decision_timestamp_seconds',
    'When a turn last made a plan and decided on it.',
  ),
  generation: gauge('plan_generation', 'Generation of the plan in force.'),
  publishedAt: gauge('plan_published_timestamp_seconds', 'When the plan in force was published.'),
  contexts: gauge('plan_contexts', 'Contexts in the plan in force.'),
  gap: gauge(
    'plan_gap_of_span',
    'Distance of the plan in force to the proved bound, as a share of the span.',
  ),
  price: gauge('plan_price_seconds_per_byte', 'Utility per period lost if the tier had one byte less.'),
  used: gauge('plan_used_bytes', 'Bytes that the plan in force keeps in the tier.'),
  capacity: gauge('plan_capacity_bytes', 'Capacity of the tier; absent where it is unlimited.'),
  expectedHits: gauge(
    'plan_expected_hit_share',
    'Share of the reusable tokens that the plan promised to serve.',
  ),
  seenHits: gauge('plan_seen_hit_share', 'The same, replayed on the recent log under the plan in force.'),
  expectedTtft: gauge('plan_expected_ttft_seconds', 'Mean TTFT that the plan promised.'),
  seenTtft: gauge('plan_seen_ttft_seconds', 'Mean TTFT, replayed on the recent log under the plan in force.'),
  expectedQuality: gauge('plan_expected_quality', 'Mean quality that the plan promised.'),
  gain: gauge(
    'plan_candidate_gain',
    'Replayed gain of the newest plan over the one in force, as a share of TTFT.',
  ),
  drift: gauge('drift_value', 'What a drift check measured.'),
  threshold: gauge('drift_threshold', 'From where on the check says drift.'),
  drifted: gauge('drift_detected', '1 where a check says drift.'),
  requests: counter('log_requests_total', 'Requests of the log counted so far.'),
  badLines: counter('log_bad_lines_total', 'Lines of the log that held no request.'),
} as const;

function gauge(name: string, help: string): MetricFamily {
  return { name: `evicpress_${name}`, help, type: 'gauge' };
}

function counter(name: string, help: string): MetricFamily {
  return { name: `evicpress_${name}`, help, type: 'counter' };
}

/** The metrics as a page for people. */
export function metricsPage(): string {
  const rows = Object.values(METRICS).map(
    ({ name, type, help }) => `| \`${name}\` | ${type} | ${unitOf(name)} | ${help} |`,
  );
  return `# Metrics of refresh

Written to \`metrics/*.prom\` of the state folder for node_exporter's textfile collector (see [refresh.md](refresh.md)). Tiers are told apart by the label \`tier\`, drift by \`check\` and \`subject\`, the outcome by \`outcome\`.

| name | type | unit | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

/** Units end the name, before \`_total\`; what has none counts or is a share. */
function unitOf(name: string): string {
  const unit = /_(timestamp_seconds|seconds_per_byte|seconds|bytes)(?:_total)?$/.exec(name)?.[1];
  if (unit === 'timestamp_seconds') return 'seconds since 1970';
  if (unit !== undefined) return unit.replaceAll('_', ' ');
  return /_(share|of_span|gain|quality)$/.test(name) ? 'share' : 'number';
}

type Labels = Readonly<Record<string, string>>;

/** One value of a metric. */
export interface Sample {
  readonly family: MetricFamily;
  readonly value: number;
  readonly labels?: Labels;
}

/** What the file of every turn says, also of one that changed nothing: the heartbeat. */
export async function writeHeartbeat(
  folder: string,
  startedAt: Date,
  outcome: string,
  seconds: number,
): Promise<void> {
  const text = exposition([
    { family: METRICS.lastTurn, value: startedAt.getTime() / 1000 },
    { family: METRICS.duration, value: seconds },
    { family: METRICS.failed, value: outcome === 'failed' ? 1 : 0 },
    { family: METRICS.outcome, value: 1, labels: { outcome } },
  ]);
  await writeDurably(heartbeatPath(folder), text, PUBLIC_FILE);
}

/** Writes what a turn that decided something knows, for the textfile collector. */
export async function exposeMetrics(
  folder: string,
  result: TurnResult,
  state: RefreshState,
  plan: Plan | undefined,
  now: Date,
): Promise<void> {
  const samples = [
    { family: METRICS.decidedAt, value: now.getTime() / 1000 },
    { family: METRICS.requests, value: state.requests.counted },
    { family: METRICS.badLines, value: state.requests.bad },
    ...planSamples(plan, state),
    ...comparisonSamples(result),
    ...driftSamples(result),
  ];
  await writeDurably(metricsPath(folder), exposition(samples), PUBLIC_FILE);
}

function planSamples(plan: Plan | undefined, { promise }: RefreshState): Sample[] {
  if (plan === undefined) return [];
  const { generation, summary, tiers } = plan.header;
  return [
    { family: METRICS.generation, value: promise?.generation ?? generation },
    { family: METRICS.contexts, value: summary.contexts },
    { family: METRICS.gap, value: summary.gapOfSpan },
    ...tiers.flatMap(({ name, price, usedBytes, capacityBytes }): Sample[] => [
      { family: METRICS.price, value: price, labels: { tier: name } },
      { family: METRICS.used, value: usedBytes, labels: { tier: name } },
      ...(capacityBytes === null
        ? []
        : [{ family: METRICS.capacity, value: capacityBytes, labels: { tier: name } }]),
    ]),
    ...(promise === null
      ? []
      : [
          { family: METRICS.publishedAt, value: Date.parse(promise.publishedAt) / 1000 },
          { family: METRICS.expectedHits, value: promise.hitShare },
          { family: METRICS.expectedTtft, value: promise.meanTtftSeconds },
          { family: METRICS.expectedQuality, value: promise.meanQuality },
        ]),
  ];
}

function comparisonSamples({ candidate, outcome }: TurnResult): Sample[] {
  if (candidate === undefined) return [];
  const inForce = outcome === 'published' ? candidate.score : candidate.comparison?.old;
  return [
    ...(inForce === undefined
      ? []
      : [
          { family: METRICS.seenHits, value: inForce.hitShare },
          { family: METRICS.seenTtft, value: inForce.meanTtftSeconds },
        ]),
    ...(candidate.comparison === undefined
      ? []
      : [{ family: METRICS.gain, value: candidate.comparison.replayedGain }]),
  ];
}

function driftSamples({ drift }: TurnResult): Sample[] {
  return drift.flatMap(({ check, subject, value, threshold, drifted }): Sample[] => {
    const labels = { check, subject };
    return [
      ...(value === null ? [] : [{ family: METRICS.drift, value, labels }]),
      ...(threshold === null ? [] : [{ family: METRICS.threshold, value: threshold, labels }]),
      { family: METRICS.drifted, value: drifted ? 1 : 0, labels },
    ];
  });
}

/** The Prometheus text format: each family once, with help and type, then its samples. */
export function exposition(samples: readonly Sample[]): string {
  const families = [...new Set(samples.map(({ family }) => family))];
  return families
    .map((family) => {
      const lines = samples
        .filter((sample) => sample.family === family)
        .map(({ labels, value }) => `${family.name}${labelText(labels)} ${value}`);
      return `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n${lines.join('\n')}\n`;
    })
    .join('');
}

function labelText(labels: Labels | undefined): string {
  if (labels === undefined) return '';
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${pairs.join(',')}}`;
}

/** Backslash, quote and newline are escaped as the format says; other control characters have no place in it. */
function escaped(value: string): string {
  return value
    .slice(0, 200)
    .replace(/\\/g, '\\\\')
    .replace(/"/g, '\\"')
    .replace(/\n/g, '\\n')
    .replace(/[\u0000-\u001f\u007f]/g, '?');
}

export function heartbeatPath(folder: string): string {
  return join(folder, 'metrics', 'evicpress-heartbeat.prom');
}

export function metricsPath(folder: string): string {
  return join(folder, 'metrics', 'evicpress.prom');
}
