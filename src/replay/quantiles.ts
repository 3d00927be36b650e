/** Fewer numbers are sorted sooner. */
const WORTH_COUNTING = 1 << 14;
const BUCKETS = 1 << 16;

/**
 * Quantiles of numbers ≥ 0, interpolated linearly between order statistics; 0 of none.
 * @param shares from 0 to 1: 0.5 is the median.
 */
export function quantiles(values: Float64Array, shares: readonly number[]): number[] {
  if (values.length === 0) return shares.map(() => 0);
  const last = values.length - 1;
  const lowOf = (share: number) => Math.floor(share * last);
  const highOf = (share: number) => Math.min(lowOf(share) + 1, last);
  const at = orderStatistics(
    values,
    shares.flatMap((share) => [lowOf(share), highOf(share)]),
  );
  return shares.map((share) => {
    const low = at(lowOf(share));
    return low + (share * last - lowOf(share)) * (at(highOf(share)) - low);
  });
}

/**
 * The numbers that would stand at some ranks if all were sorted. Of many only those are sorted that share a bucket
 * with one that is asked for: the bits of doubles ≥ 0, read as whole numbers, have the order of the doubles, and a
 * bucket is a range of their upper halves.
 */
function orderStatistics(values: Float64Array, ranks: readonly number[]): (rank: number) => number {
  if (values.length < WORTH_COUNTING) {
    const sorted = values.slice().sort();
    return (rank) => sorted[rank]!;
  }
  const { bucketOf, starts } = inBuckets(values);
  const bucketAt = (rank: number) => lastUpTo(starts, rank);
  /** By bucket: where its next number goes among those that are sorted, −1 where none is asked for. */
  const places = new Int32Array(BUCKETS).fill(-1);
  let count = 0;
  for (const rank of ranks) {
    const bucket = bucketAt(rank);
    if (places[bucket] !== -1) continue;
    places[bucket] = count;
    count += starts[bucket + 1]! - starts[bucket]!;
  }
  const sorted = new Float64Array(count);
  for (let i = 0; i < values.length; i++) {
    const bucket = bucketOf[i]!;
    const place = places[bucket]!;
    if (place === -1) continue;
    sorted[place] = values[i]!;
    places[bucket] = place + 1;
  }
  /** Now that all are in their places. */
  const startOf = (bucket: number) => places[bucket]! - (starts[bucket + 1]! - starts[bucket]!);
  for (const bucket of new Set(ranks.map(bucketAt))) {
    const part = sorted.subarray(startOf(bucket), places[bucket]);
    if (!isAscending(part)) part.sort();
  }
  return (rank) => sorted[startOf(bucketAt(rank)) + rank - starts[bucketAt(rank)]!]!;
}

/** The bucket of every number, and by bucket how many numbers are in the ones before it. */
function inBuckets(values: Float64Array): { bucketOf: Uint16Array; starts: Uint32Array } {
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  let least = words[1]!;
  let most = least;
  for (let i = 1; i < words.length; i += 2) {
    const upper = words[i]!;
    if (upper < least) least = upper;
    if (upper > most) most = upper;
  }
  let shift = 0;
  while ((most - least) >>> shift >= BUCKETS) shift++;
  const bucketOf = new Uint16Array(values.length);
  const starts = new Uint32Array(BUCKETS + 1);
  for (let i = 0; i < bucketOf.length; i++) {
    const bucket = (words[2 * i + 1]! - least) >>> shift;
    bucketOf[i] = bucket;
    starts[bucket + 1]!++;
  }
  for (let bucket = 0; bucket < BUCKETS; bucket++) starts[bucket + 1]! += starts[bucket]!;
  return { bucketOf, starts };
}

/** The last place of ascending numbers, the first of them 0, that holds no more than a number. */
function lastUpTo(ascending: Uint32Array, number: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (ascending[middle]! <= number) low = middle;
    else high = middle - 1;
  }
  return low;
}

function isAscending(values: Float64Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i]! < values[i - 1]!) return false;
  return true;
}
