import type { MethodRow } from '../../formats/methods.js';
import { ANY_CONTEXT } from '../../formats/names.js';
import { bestWithin } from '../context-table.js';
import type { FigureKind, Panel } from '../figure.js';
import { groupBy } from '../group-by.js';
import { profileSource } from './quality-curves.js';
import { formOf, POINT_TOOLTIP } from './words.js';

/** More small charts than this are no longer looked at. */
const MAX_PANELS = 12;

/** Quality against the share of bytes kept, a small chart for each context: which method is best differs. */
export const contextCurves: FigureKind = {
  name: 'contexts',
  draw({ methods }) {
    if (methods === undefined) return undefined;
    const metric = methods.rows[0]?.metric;
    const rows = methods.rows.filter((row) => row.context !== ANY_CONTEXT && row.metric === metric);
    const contexts = groupBy(rows, (row) => row.context);
    if (contexts.size < 2) return undefined;
    const shown = farthestApart(contexts).slice(0, MAX_PANELS);
    const names = [...new Set(rows.map((row) => row.method))].sort();
    const low = Math.min(...rows.map((row) => row.quality));
    const some =
      shown.length < contexts.size ? ` The ${shown.length} of ${contexts.size} that differ most.` : '';
    return {
      id: 'contexts',
      title: 'Context by context',
      reading: `${winnersText([...contexts.values()])} Colours and shapes as above; bars are plus and minus one standard error.${some}`,
      source: profileSource(methods),
      panels: shown.map(([context, own]) => panel(context, own, names, low)),
    };
  },
};

/** The contexts whose qualities lie farthest from the mean of all, form by form, first. */
function farthestApart(
  contexts: ReadonlyMap<string, readonly MethodRow[]>,
): [string, readonly MethodRow[]][] {
  const forms = groupBy([...contexts.values()].flat(), formOf);
  const means = new Map([...forms].map(([form, rows]) => [form, mean(rows.map((row) => row.quality))]));
  const distance = (rows: readonly MethodRow[]) =>
    mean(rows.map((row) => Math.abs(row.quality - means.get(formOf(row))!)));
  return [...contexts].sort(([, a], [, b]) => distance(b) - distance(a));
}

/** Which method is best at half the bytes, and in how many contexts. */
function winnersText(contexts: readonly (readonly MethodRow[])[]): string {
  const best = contexts.flatMap((rows) => bestWithin(rows, 0.5)?.method ?? []);
  const counts = [...groupBy(best, (method) => method)]
    .map(([method, { length }]) => ({ method, length }))
    .sort((a, b) => b.length - a.length || (a.method < b.method ? -1 : 1));
  if (counts.length === 0) return '';
  const words = counts.map(({ method, length }) => `${method} in ${length}`).join(', ');
  return `Best with about half of the bytes: ${words} of ${contexts.length} contexts.`;
}

function panel(context: string, rows: readonly MethodRow[], methods: readonly string[], low: number): Panel {
  const values = rows.map((row) => ({
    method: row.method,
    form: formOf(row),
    kept: row.storedBytes / row.fullBytes,
    quality: row.quality,
    low: Math.max(0, row.quality - (row.qualityStdError ?? 0)),
    high: Math.min(1, row.quality + (row.qualityStdError ?? 0)),
  }));
  const best = bestWithin(rows, 0.5);
  const said =
    best === undefined ? '' : ` Best with half of the bytes: ${formOf(best)}, ${best.quality.toFixed(2)}.`;
  return {
    name: context,
    description: `Quality of ${context} against bytes kept, ${methods.length} methods.${said}`,
    spec: {
      height: 150,
      data: { values },
      encoding: {
        x: {
          ...{ field: 'kept', type: 'quantitative', title: 'bytes kept' },
          ...{ scale: { domain: [0, 1] }, axis: { format: '.0%', tickCount: 5 } },
        },
        color: { field: 'method', type: 'nominal', scale: { domain: methods }, legend: null },
      },
      layer: [
        {
          mark: { type: 'line', opacity: 0.8 },
          encoding: {
            y: {
              ...{ field: 'quality', type: 'quantitative', title: 'quality' },
              scale: { domain: [Math.max(0, low), 1], clamp: true },
            },
          },
        },
        {
          mark: { type: 'rule', strokeWidth: 1 },
          encoding: { y: { field: 'low', type: 'quantitative' }, y2: { field: 'high' } },
        },
        {
          mark: { type: 'point', size: 35, stroke: '$ground', strokeWidth: 1 },
          encoding: {
            y: { field: 'quality', type: 'quantitative' },
            shape: { field: 'method', type: 'nominal', scale: { domain: methods }, legend: null },
            tooltip: POINT_TOOLTIP,
          },
        },
      ],
    },
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
