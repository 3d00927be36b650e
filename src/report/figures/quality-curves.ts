import type { MethodProfile, MethodRow } from '../../formats/methods.js';
import { ANY_CONTEXT } from '../../formats/names.js';
import type { FigureKind, Panel } from '../figure.js';
import { groupBy } from '../group-by.js';
import { formOf, POINT_TOOLTIP } from './words.js';

/** One point of a curve: a method at a ratio, for one context or pooled over several. */
interface CurvePoint {
  readonly curve: string;
  readonly method: string;
  readonly form: string;
  readonly kept: number;
  readonly quality: number;
  readonly low: number;
  readonly high: number;
  readonly contexts: number;
  readonly queries: number;
}

/** Curves of single contexts that can be chosen from, at most: a list longer than this is no choice. */
const MAX_CURVES = 120;

/** Quality against the share of bytes kept, method by method, with error bars. */
export const qualityCurves: FigureKind = {
  name: 'quality',
  draw({ methods }) {
    if (methods === undefined || methods.rows.length === 0) return undefined;
    const metrics = [...new Set(methods.rows.map((row) => row.metric ?? 'quality'))];
    return {
      id: 'quality',
      title: 'What compression does to answers',
      reading: `Quality (${metrics.join(', ')}) against the share of bytes kept; the bars are plus and minus one standard error. ${differText(methods)}`,
      source: `${profileSource(methods)}${sampleText(methods)}`,
      panels: metrics.map((metric) => panel(methods, metric)),
    };
  },
};

/** How the figures of a method profile are known, in words. */
export function profileSource({ header, rows }: MethodProfile): string {
  if (typeof header.source === 'string') return header.source;
  const runners = [...new Set(rows.map((row) => row.runner).filter((runner) => runner !== undefined))];
  return runners.length === 0 ? 'assumed' : `measured (${runners.join(', ')})`;
}

function sampleText({ header, rows }: MethodProfile): string {
  const model = header.model ?? rows[0]?.model;
  const contexts = new Set(rows.map((row) => row.context).filter((context) => context !== ANY_CONTEXT)).size;
  return `${model === undefined ? '' : `, model ${model}`}, ${rows.length} rows of ${contexts} contexts`;
}

/** The form whose quality differs most between contexts: why one rule for all is not enough. */
function differText({ rows }: MethodProfile): string {
  const single = rows.filter((row) => row.context !== ANY_CONTEXT);
  const spread = [...groupBy(single, formOf)]
    .filter(([, group]) => group.length >= 3)
    .map(([form, group]) => ({
      form,
      low: Math.min(...group.map((row) => row.quality)),
      high: Math.max(...group.map((row) => row.quality)),
    }))
    .sort((a, b) => b.high - b.low - (a.high - a.low))[0];
  if (spread === undefined) return '';
  return `Contexts differ: under ${spread.form} quality runs from ${spread.low.toFixed(2)} to ${spread.high.toFixed(2)}.`;
}

function panel({ rows }: MethodProfile, metric: string): Panel {
  const values = curvePoints(rows.filter((row) => (row.metric ?? 'quality') === metric));
  const curves = [...new Set(values.map((value) => value.curve))];
  return {
    name: metric,
    description: `Quality against bytes kept: ${[...new Set(values.map((v) => v.form))].join(', ')}, ${curves.length} curves to choose from.`,
    spec: {
      height: 320,
      data: { values },
      params: [
        {
          name: 'curve',
          value: curves[0],
          ...(curves.length > 1 ? { bind: { input: 'select', options: curves, name: 'of ' } } : {}),
        },
      ],
      transform: [{ filter: 'datum.curve === curve' }],
      encoding: {
        x: {
          field: 'kept',
          type: 'quantitative',
          title: 'bytes kept',
          scale: { domain: [0, 1] },
          axis: { format: '.0%' },
        },
        color: { field: 'method', type: 'nominal', title: 'method' },
      },
      layer: [
        {
          mark: { type: 'line', opacity: 0.8 },
          encoding: {
            y: { field: 'quality', type: 'quantitative', title: 'quality', scale: { zero: false } },
          },
        },
        {
          mark: { type: 'rule', strokeWidth: 1.25 },
          encoding: { y: { field: 'low', type: 'quantitative' }, y2: { field: 'high' } },
        },
        {
          mark: { type: 'point', size: 70, stroke: '$ground', strokeWidth: 1 },
          encoding: {
            y: { field: 'quality', type: 'quantitative' },
            shape: { field: 'method', type: 'nominal', title: 'method' },
            tooltip: [
              ...POINT_TOOLTIP,
              { field: 'contexts', title: 'contexts', format: ',' },
              { field: 'queries', title: 'queries', format: ',' },
            ],
          },
        },
      ],
    },
  };
}

/** Pooled curves first (all contexts, each class), then single contexts. */
function curvePoints(rows: readonly MethodRow[]): CurvePoint[] {
  const classes = groupBy(rows, (row) => row.class ?? '');
  const contexts = [...groupBy(rows, (row) => row.context)].filter(([context]) => context !== ANY_CONTEXT);
  const curves: [string, readonly MethodRow[]][] = [
    ['all contexts', rows],
    ...(classes.size > 1
      ? [...classes].map(([name, group]): [string, readonly MethodRow[]] => [
          name === '' ? 'contexts without a class' : `class ${name}`,
          group,
        ])
      : []),
    ...contexts
      .slice(0, contexts.length > 1 ? MAX_CURVES : 0)
      .map(([context, group]): [string, readonly MethodRow[]] => [`context ${context}`, group]),
  ];
  return curves.flatMap(([curve, group]) =>
    [...groupBy(group, formOf)].map(([form, same]) => pooled(curve, form, same)),
  );
}

/** Mean over contexts. Its standard error: between contexts where there are several, else the row's own. */
function pooled(curve: string, form: string, rows: readonly MethodRow[]): CurvePoint {
  const mean = (of: (row: MethodRow) => number) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  const quality = mean((row) => row.quality);
  const variance =
    rows.length < 2 ? 0 : (mean((row) => (row.quality - quality) ** 2) * rows.length) / (rows.length - 1);
  const stdError = rows.length < 2 ? (rows[0]!.qualityStdError ?? 0) : Math.sqrt(variance / rows.length);
  return {
    curve,
    method: rows[0]!.method,
    form,
    kept: mean((row) => row.storedBytes / row.fullBytes),
    quality,
    low: Math.max(0, quality - stdError),
    high: Math.min(1, quality + stdError),
    contexts: rows.length,
    queries: rows.reduce((sum, row) => sum + (row.queries ?? 0), 0),
  };
}
