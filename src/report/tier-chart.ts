import { transferSeconds } from '../cost/transfer.js';
import type { Tier } from '../formats/tiers.js';
import { formatBytes, formatBytesPerSecond } from '../units.js';

const WIDTH = 60;
const HEIGHT = 14;
/** Room for the figures at the left of the axis. */
const MARGIN = 11;

/**
 * Bandwidth against object size for a terminal: a digit is a measured point at that many streams, a dot the fit.
 * Sizes grow logarithmically to the right, bandwidth of all streams together linearly from 0.
 * @returns undefined where the tier carries no samples of two sizes.
 */
export function tierChart(tier: Tier): string | undefined {
  const samples = tier.samples ?? [];
  const sizes = samples.map((sample) => sample.bytes);
  const smallest = Math.min(...sizes);
  const largest = Math.max(...sizes);
  if (!(largest > smallest)) return undefined;
  const rate = (bytes: number, streams: number, seconds: number) => (bytes * streams) / seconds;
  const top = Math.max(...samples.map(({ bytes, streams, seconds }) => rate(bytes, streams, seconds)));
  const cells = Array.from({ length: HEIGHT }, () => new Array<string>(WIDTH).fill(' '));
  const draw = (bytes: number, bytesPerSecond: number, mark: string) => {
    const x = Math.round((Math.log(bytes / smallest) / Math.log(largest / smallest)) * (WIDTH - 1));
    const y = HEIGHT - 1 - Math.round((Math.min(bytesPerSecond, top) / top) * (HEIGHT - 1));
    cells[y]![x] = mark;
  };
  const streams = [...new Set(samples.map((sample) => sample.streams))].sort((a, b) => a - b);
  for (const count of streams) {
    for (let x = 0; x < WIDTH; x++) {
      const bytes = smallest * (largest / smallest) ** (x / (WIDTH - 1));
      draw(bytes, rate(bytes, count, transferSeconds(tier.read, bytes, count)), '·');
    }
  }
  for (const sample of samples) {
    // One character a point: counts above 9 as letters.
    const mark = sample.streams.toString(36);
    draw(sample.bytes, rate(sample.bytes, sample.streams, sample.seconds), mark);
  }
  const label = (y: number) =>
    y === 0 ? formatBytesPerSecond(top) : y === HEIGHT - 1 ? formatBytesPerSecond(0) : '';
  const right = formatBytes(largest);
  return [
    `${tier.name}: read bandwidth by object size; digits are streams, dots the fit`,
    ...cells.map((row, y) => `${label(y).padStart(MARGIN)} │${row.join('').trimEnd()}`),
    `${' '.repeat(MARGIN)} └${'─'.repeat(WIDTH)}`,
    `${' '.repeat(MARGIN + 2)}${formatBytes(smallest).padEnd(WIDTH - right.length)}${right}`,
  ].join('\n');
}
