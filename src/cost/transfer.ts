import type { Transfer } from '../formats/tiers.js';

/**
 * Seconds one request waits for `bytes` from a tier: latency + bytes / bandwidth, or the profile's table,
 * interpolated log-log, where it has one. Nothing to load costs nothing.
 * @param streams transfers under way at once; more than one uses the profile's bandwidth by streams, shared evenly.
 */
export function transferSeconds(transfer: Transfer, bytes: number, streams = 1): number {
  if (bytes <= 0) return 0;
  if (streams === 1)
    return transfer.table !== undefined && transfer.table.length > 0
      ? tableSeconds(transfer.table, bytes)
      : transfer.latencySeconds + bytes / transfer.bytesPerSecond;
  const points = transfer.byStreams ?? [];
  if (points.some((point) => point.table !== undefined)) {
    const seconds = ({ table, streams: count, bytesPerSecond, latencySeconds }: StreamsPoint) =>
      table === undefined
        ? (latencySeconds ?? transfer.latencySeconds) + (bytes * count) / bytesPerSecond
        : tableSeconds(table, bytes);
    return interpolate(points, streams, seconds, transferSeconds(transfer, bytes));
  }
  const slowdown = transfer.bytesPerSecond / bytesPerSecondPerStream(transfer, streams);
  if (transfer.table !== undefined && transfer.table.length > 0)
    return tableSeconds(transfer.table, bytes) * slowdown;
  return latencyAt(transfer, streams) + (bytes / transfer.bytesPerSecond) * slowdown;
}

/** Latency of each of `streams` concurrent transfers, interpolated between measured counts. */
function latencyAt(transfer: Transfer, streams: number): number {
  const points = transfer.byStreams ?? [];
  if (points.length === 0) return transfer.latencySeconds;
  const latency = (point: StreamsPoint) => point.latencySeconds ?? transfer.latencySeconds;
  return interpolate(points, streams, latency, transfer.latencySeconds);
}

/**
 * The part of a request's loading time that belongs to one segment: the request pays the tier's latency once,
 * a segment pays its `requestShare` of it. With a table: its share of loading the whole request's bytes at
 * once, which is the same thing where the table is affine.
 */
export function segmentLoadSeconds(transfer: Transfer, storedBytes: number, requestShare: number): number {
  if (storedBytes <= 0) return 0;
  if (transfer.table !== undefined && transfer.table.length > 0) {
    return requestShare * tableSeconds(transfer.table, storedBytes / requestShare);
  }
  return requestShare * transfer.latencySeconds + storedBytes / transfer.bytesPerSecond;
}

/** What one of `streams` concurrent transfers gets, in bytes per second, interpolated between measured counts. */
export function bytesPerSecondPerStream(transfer: Transfer, streams: number): number {
  return totalBytesPerSecond(transfer, streams) / streams;
}

/** What all of `streams` concurrent transfers get together, in bytes per second. */
export function totalBytesPerSecond(transfer: Transfer, streams: number): number {
  const points = transfer.byStreams ?? [];
  if (streams <= 1 || points.length === 0) return transfer.bytesPerSecond;
  return interpolate(points, streams, (point) => point.bytesPerSecond, transfer.bytesPerSecond);
}

type StreamsPoint = NonNullable<Transfer['byStreams']>[number];

/** A figure between the measured numbers of streams; the nearest one's outside them. */
function interpolate(
  unordered: readonly StreamsPoint[],
  streams: number,
  figure: (point: StreamsPoint) => number,
  alone: number,
): number {
  const points = [...unordered].sort((a, b) => a.streams - b.streams);
  const above = points.findIndex((point) => point.streams >= streams);
  if (above === -1) return figure(points.at(-1)!);
  const high = points[above]!;
  if (high.streams === streams) return figure(high);
  const low = points[above - 1];
  // Below the fewest streams measured: between one stream and those.
  const from =
    low === undefined ? { streams: 1, value: alone } : { streams: low.streams, value: figure(low) };
  const at = (streams - from.streams) / (high.streams - from.streams);
  return from.value + at * (figure(high) - from.value);
}

/** Log-log interpolation; outside the table the nearest segment's slope, kept between flat and proportional. */
function tableSeconds(table: NonNullable<Transfer['table']>, bytes: number): number {
  const last = table.length - 1;
  if (last === 0) return Math.max(table[0]!.seconds, (table[0]!.seconds * bytes) / table[0]!.bytes);
  let upper = 1;
  while (upper < last && table[upper]!.bytes < bytes) upper++;
  const a = table[upper - 1]!;
  const b = table[upper]!;
  const outside = bytes < a.bytes || bytes > b.bytes;
  const raw = Math.log(b.seconds / a.seconds) / Math.log(b.bytes / a.bytes);
  const slope = outside ? Math.min(1, Math.max(0, raw)) : raw;
  const anchor = bytes > b.bytes ? b : a;
  return anchor.seconds * Math.exp(slope * Math.log(bytes / anchor.bytes));
}
