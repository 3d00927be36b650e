import { transferSeconds } from '../../cost/transfer.js';
import type { Tier } from '../../formats/tiers.js';
import { formatBytesPerSecond, formatSeconds, formatShare } from '../../units.js';
import type { FigureKind, Panel } from '../figure.js';
import { bytesLabel, secondsLabel } from './words.js';

/** Sizes the fit is drawn at where nothing was sampled: a chunk of a cache to a long context's whole cache. */
const UNSAMPLED_BYTES = [1e6, 1e10] as const;
const LINE_POINTS = 40;
/** More samples than this only blacken the picture; every k-th is drawn. */
const MAX_SAMPLES = 400;

/** Seconds to read against bytes, tier by tier: what was measured and the law that plans use. */
export const tierFits: FigureKind = {
  name: 'tiers',
  draw({ tiers }) {
    if (tiers === undefined) return undefined;
    const sampled = tiers.tiers.filter((tier) => (tier.samples?.length ?? 0) > 0).length;
    return {
      id: 'tiers',
      title: 'How fast the tiers are',
      reading:
        sampled === 0
          ? 'The line is what plans use; the profile holds no single measurements to show beside it.'
          : 'Dots are measured reads, the line is the fit for one stream that plans use.',
      source: tiers.tiers.map((tier) => `${tier.name}: ${tier.source ?? 'assumed'}`).join(', '),
      panels: tiers.tiers.map(panel),
    };
  },
};

function panel(tier: Tier): Panel {
  const every = Math.ceil((tier.samples?.length ?? 0) / MAX_SAMPLES);
  const samples = (tier.samples ?? []).filter((_, i) => i % every === 0);
  const sizes = samples.length === 0 ? UNSAMPLED_BYTES : samples.map((sample) => sample.bytes);
  const low = Math.min(...sizes);
  const high = Math.max(...sizes, low * 2);
  const line = Array.from({ length: LINE_POINTS }, (_, i) => {
    const bytes = low * (high / low) ** (i / (LINE_POINTS - 1));
    return { bytes, seconds: transferSeconds(tier.read, bytes) };
  });
  const seconds = [...line, ...samples].map((point) => point.seconds);
  const error = tier.read.medianRelativeError;
  const words = `${formatBytesPerSecond(tier.read.bytesPerSecond)} after ${formatSeconds(tier.read.latencySeconds)}`;
  return {
    name: `${tier.name}: ${words}${error === undefined ? '' : `, off by ${formatShare(error)} in the median`} (${tier.source ?? 'assumed'})`,
    description: `Read time of ${tier.name} against size: ${words}, ${samples.length} samples.`,
    spec: {
      height: 220,
      encoding: {
        x: {
          field: 'bytes',
          type: 'quantitative',
          scale: { type: 'log', nice: false },
          title: 'bytes read',
          axis: { values: logTicks(low, high), labelExpr: bytesLabel('datum.value'), grid: false },
        },
        y: {
          field: 'seconds',
          type: 'quantitative',
          scale: { type: 'log', nice: false, domain: extent(seconds) },
          title: 'seconds',
          axis: { values: logTicks(...extent(seconds)), labelExpr: secondsLabel('datum.value') },
        },
      },
      layer: [
        ...(samples.length === 0
          ? []
          : [
              {
                data: { values: samples.map(({ bytes, streams, seconds }) => ({ bytes, streams, seconds })) },
                transform: [
                  { calculate: bytesLabel('datum.bytes'), as: 'size' },
                  { calculate: secondsLabel('datum.seconds'), as: 'time' },
                ],
                mark: { type: 'point', size: 34, opacity: 0.75 },
                encoding: {
                  color: { field: 'streams', type: 'nominal', title: 'streams at once' },
                  shape: { field: 'streams', type: 'nominal', title: 'streams at once' },
                  tooltip: [
                    { field: 'size', title: 'bytes' },
                    { field: 'time', title: 'took' },
                    { field: 'streams', title: 'streams at once' },
                  ],
                },
              },
            ]),
        { data: { values: line }, mark: { type: 'line', color: '$ink', strokeWidth: 1.75 } },
      ],
    },
  };
}

/** Powers of ten between two positive numbers; 1, 2 and 5 of each where there are few. */
function logTicks(low: number, high: number): number[] {
  const decades = Math.log10(high / low);
  const steps = decades < 2.5 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const step of steps) ticks.push(Number(`${step}e${power}`));
  return ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
}

/** The range of positive numbers with a little air. */
function extent(values: readonly number[]): [low: number, high: number] {
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  return [low / 1.15, high * 1.15];
}
