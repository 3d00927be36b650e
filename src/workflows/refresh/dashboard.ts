import { jsonText } from '../../formats/files.js';
import { METRICS, type MetricFamily } from './metrics.js';

type Unit = 's' | 'percentunit' | 'bytes' | 'none' | 'dateTimeFromNow';

interface Panel {
  readonly title: string;
  readonly type: 'timeseries' | 'stat' | 'table';
  readonly unit: Unit;
  readonly queries: readonly { readonly expr: string; readonly legend: string }[];
}

const PANELS: readonly Panel[] = [
  stat('Plan in force since', 'dateTimeFromNow', `${METRICS.publishedAt.name} * 1000`),
  stat('Last turn', 'dateTimeFromNow', `${METRICS.lastTurn.name} * 1000`),
  stat('Generation', 'none', METRICS.generation.name),
  stat('Gap to the bound', 'percentunit', METRICS.gap.name),
  pair('Hits: promised and seen', 'percentunit', METRICS.expectedHits, METRICS.seenHits),
  pair('TTFT: promised and seen', 's', METRICS.expectedTtft, METRICS.seenTtft),
  series('Use of the tiers', 'bytes', METRICS.used, '{{tier}}'),
  series('Price of a byte', 'none', METRICS.price, '{{tier}}'),
  series('Gain of the newest plan over the one in force', 'percentunit', METRICS.gain, 'gain'),
  series('Drift', 'none', METRICS.drift, '{{check}} {{subject}}'),
  series('Turn duration', 's', METRICS.duration, 'duration'),
  {
    title: 'Requests read and lines left out, per second',
    type: 'timeseries',
    unit: 'none',
    queries: [
      { expr: `rate(${METRICS.requests.name}[15m])`, legend: 'requests' },
      { expr: `rate(${METRICS.badLines.name}[15m])`, legend: 'bad lines' },
    ],
  },
];

/** A Grafana dashboard over every metric of refresh, for import. */
export function dashboard(): string {
  return jsonText({
    title: 'evicpress',
    uid: 'evicpress',
    schemaVersion: 39,
    tags: ['evicpress'],
    time: { from: 'now-7d', to: 'now' },
    refresh: '1m',
    templating: {
      list: [{ name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' }],
    },
    panels: PANELS.map(panelObject),
  });
}

function panelObject({ title, type, unit, queries }: Panel, i: number) {
  const small = type === 'stat';
  const graphs = i - PANELS.filter((panel) => panel.type === 'stat').length;
  return {
    id: i + 1,
    title,
    type,
    datasource: { type: 'prometheus', uid: '$' + '{datasource}' },
    gridPos: small
      ? { h: 4, w: 6, x: 6 * i, y: 0 }
      : { h: 8, w: 12, x: 12 * (graphs % 2), y: 4 + 8 * Math.floor(graphs / 2) },
    fieldConfig: { defaults: { unit }, overrides: [] },
    targets: queries.map(({ expr, legend }, q) => ({
      refId: String.fromCharCode(65 + q),
      expr,
      legendFormat: legend,
    })),
  };
}

function stat(title: string, unit: Unit, expr: string): Panel {
  return { title, type: 'stat', unit, queries: [{ expr, legend: '' }] };
}

function series(title: string, unit: Unit, family: MetricFamily, legend: string): Panel {
  return { title, type: 'timeseries', unit, queries: [{ expr: family.name, legend }] };
}

function pair(title: string, unit: Unit, promised: MetricFamily, seen: MetricFamily): Panel {
  return {
    title,
    type: 'timeseries',
    unit,
    queries: [
      { expr: promised.name, legend: 'promised' },
      { expr: seen.name, legend: 'seen' },
    ],
  };
}
