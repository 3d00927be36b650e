/** Fewer numbers are sorted sooner by comparing them. */
const WORTH_COUNTING = 1 << 15;
const DIGIT_BITS = 16;
const DIGITS = 1 << DIGIT_BITS;

/**
 * A sorted copy of numbers ≥ 0. Many are sorted by counting: the bits of such doubles, read as whole numbers, have
 * the order of the doubles.
 */
export function ascending(values: Float64Array): Float64Array {
  if (isAscending(values)) return values.slice();
  if (values.length < WORTH_COUNTING) return values.slice().sort();
  let from = values.slice();
  let to = new Float64Array(values.length);
  const starts = new Uint32Array(DIGITS);
  for (let digit = 0; digit < 64 / DIGIT_BITS; digit++) {
    const words = new Uint16Array(from.buffer);
    starts.fill(0);
    for (let at = digit; at < words.length; at += 4) starts[words[at]!]!++;
    let start = 0;
    for (let d = 0; d < DIGITS; d++) {
      const count = starts[d]!;
      starts[d] = start;
      start += count;
    }
    for (let i = 0; i < from.length; i++) to[starts[words[4 * i + digit]!]!++] = from[i]!;
    [from, to] = [to, from];
  }
  return from;
}

function isAscending(values: Float64Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i]! < values[i - 1]!) return false;
  return true;
}
