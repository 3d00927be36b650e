import { stringify } from 'yaml';
import { METRICS } from './metrics.js';

/** One alert: when, for how long, and what to do. */
interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly severity: 'warning' | 'critical';
  readonly summary: string;
  readonly description: string;
}

const ALERTS: readonly Alert[] = [
  {
    alert: 'EvicpressRefreshSilent',
    expr: `time() - ${METRICS.lastTurn.name} > 1800`,
    for: '0m',
    severity: 'warning',
    summary: 'No turn of refresh for half an hour',
    description:
      'cron or the timer does not run, or a turn hangs. Look at the log of refresh; run it by hand.',
  },
  {
    alert: 'EvicpressRefreshFailing',
    expr: `${METRICS.failed.name} == 1`,
    for: '30m',
    severity: 'warning',
    summary: 'Turns of refresh end in errors',
    description: 'The plan in force stays as it is. The last entry of journal.ndjson says what to put right.',
  },
  {
    alert: 'EvicpressHitsMissing',
    expr: `${METRICS.seenHits.name} < 0.8 * ${METRICS.expectedHits.name}`,
    for: '1h',
    severity: 'warning',
    summary: 'Less than four fifths of the promised hits arrive',
    description:
      'Load or content has changed faster than plans follow. Shorten --half-life, or raise capacity.',
  },
  {
    alert: 'EvicpressTtftAbovePromise',
    expr: `${METRICS.seenTtft.name} > 1.5 * ${METRICS.expectedTtft.name}`,
    for: '1h',
    severity: 'warning',
    summary: 'TTFT is half as long again as the plan promised',
    description: 'See `evicpress drift` for what has changed.',
  },
  {
    alert: 'EvicpressDrift',
    expr: `max by (check, subject) (${METRICS.drifted.name}) == 1`,
    for: '1h',
    severity: 'warning',
    summary: 'Drift of {{ $labels.check }}: {{ $labels.subject }}',
    description:
      'See `evicpress drift` for the evidence. What drifted is measured anew as far as the budget allows.',
  },
  {
    alert: 'EvicpressLogUnreadable',
    expr: `increase(${METRICS.badLines.name}[1h]) > 0.01 * increase(${METRICS.requests.name}[1h])`,
    for: '15m',
    severity: 'warning',
    summary: 'More than one line in a hundred of the log is no request',
    description: 'The format of the log may have changed. The journal names the first such line.',
  },
];

/** The rules as a file for Prometheus (`rule_files`). */
export function alertRules(): string {
  const rules = ALERTS.map(({ alert, expr, for: duration, severity, summary, description }) => ({
    alert,
    expr,
    for: duration,
    labels: { severity },
    annotations: { summary, description },
  }));
  return stringify({ groups: [{ name: 'evicpress', rules }] }, { lineWidth: 0 });
}
