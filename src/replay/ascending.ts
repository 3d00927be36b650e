/** Fewer numbers are sorted sooner by comparing them. */
const WORTH_COUNTING = 1 << 15;
const DIGIT_BITS = 16;
const DIGITS = 1 << DIGIT_BITS;
const DIGITS_OF_DOUBLE = 64 / DIGIT_BITS;

/**
 * A sorted copy of numbers ≥ 0. Many are sorted by counting: the bits of such doubles, read as whole numbers, have
 * the order of the doubles. The upper half of the bits tells nearly all of them apart; those that it does not are
 * sorted by comparing.
 */
export function ascending(values: Float64Array): Float64Array {
  if (isAscending(values)) return values.slice();
  if (values.length < WORTH_COUNTING) return values.slice().sort();
  let from = values.slice();
  let to = new Float64Array(values.length);
  const starts = new Uint32Array(DIGITS);
  for (let digit = DIGITS_OF_DOUBLE / 2; digit < DIGITS_OF_DOUBLE; digit++) {
    const words = new Uint16Array(from.buffer);
    starts.fill(0);
    for (let at = digit; at < words.length; at += DIGITS_OF_DOUBLE) starts[words[at]!]!++;
    let start = 0;
    for (let d = 0; d < DIGITS; d++) {
      const count = starts[d]!;
      starts[d] = start;
      start += count;
    }
    for (let i = 0; i < from.length; i++) to[starts[words[DIGITS_OF_DOUBLE * i + digit]!]!++] = from[i]!;
    [from, to] = [to, from];
  }
  sortWithinUpperHalves(from);
  return from;
}

/** Sorts numbers that are in order by the upper halves of their bits. */
function sortWithinUpperHalves(values: Float64Array): void {
  const upper = new Uint32Array(values.buffer);
  for (let i = 1; i < values.length; i++) {
    if (values[i]! >= values[i - 1]!) continue;
    const half = upper[2 * i + 1]!;
    let first = i - 1;
    while (first > 0 && upper[2 * first - 1] === half) first--;
    let end = i + 1;
    while (end < values.length && upper[2 * end + 1] === half) end++;
    values.subarray(first, end).sort();
    i = end - 1;
  }
}

function isAscending(values: Float64Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i]! < values[i - 1]!) return false;
  return true;
}
