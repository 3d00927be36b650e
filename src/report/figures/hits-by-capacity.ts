import type { ReplayResult } from '../../formats/replay.js';
import { formatBytes, formatShare } from '../../units.js';
import type { FigureKind, Panel } from '../figure.js';
import { bytesLabel, logAxis, logName } from './words.js';

type Curve = NonNullable<ReplayResult['lruCurve']>;

/** What LRU would serve at other capacities, where the replay was asked for it. */
export const hitsByCapacity: FigureKind = {
  name: 'lru-curve',
  draw({ replays }) {
    const curves = replays.flatMap(({ lruCurve = [], ...replay }, i) =>
      lruCurve.length > 0 ? [{ name: logName(replay, i), curve: lruCurve }] : [],
    );
    if (curves.length === 0) return undefined;
    return {
      id: 'lru-curve',
      title: 'What LRU serves at every capacity',
      reading: curves
        .map(({ name, curve }) => (curves.length > 1 ? `${name}: ${reading(curve)}` : reading(curve)))
        .join(' '),
      source: 'one pass of stack distances over the log, uncompressed caches',
      panels: curves.map(({ name, curve }) => panel(curve, name)),
    };
  },
};

/** The room from which on little is gained: the least that serves nine tenths of the most. */
function reading(curve: Curve): string {
  const most = Math.max(...curve.map((point) => point.prefixHitRate));
  const enough = curve.find((point) => point.prefixHitRate >= 0.9 * most)!;
  return `LRU serves at most ${formatShare(most)} of the input tokens, and nine tenths of that with ${formatBytes(enough.capacityBytes)}.`;
}

function panel(curve: Curve, name: string): Panel {
  return {
    name,
    description: `Prefix hit rate of LRU against capacity on ${name}: ${curve.length} capacities. ${reading(curve)}`,
    spec: {
      height: 260,
      data: { values: curve.filter((point) => point.capacityBytes > 0) },
      transform: [{ calculate: bytesLabel('datum.capacityBytes'), as: 'roomText' }],
      mark: { type: 'line', color: '$accent', ...(curve.length <= 60 ? { point: { size: 14 } } : {}) },
      encoding: {
        x: { field: 'capacityBytes', title: 'room for caches', ...logAxis(bytesLabel('datum.value')) },
        y: {
          field: 'prefixHitRate',
          type: 'quantitative',
          title: 'input tokens served from the cache',
          axis: { format: '.0%' },
        },
        tooltip: [
          { field: 'roomText', title: 'room' },
          { field: 'prefixHitRate', title: 'served', format: '.1%' },
        ],
      },
    },
  };
}
