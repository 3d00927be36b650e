/**
 * The id of a block's content behind a prefix, so that equal content in another position is another block: 53 bits
 * that depend on the path alone, the same in every run. Among a million blocks two share an id with a probability
 * of 6e-5.
 * @param parent the id of the prefix before it; −1 at the start.
 */
export function prefixId(parent: number, content: string | number): number {
  let low = (parent >>> 0) ^ 0x2545f491;
  let high = Math.floor(parent / 2 ** 32) ^ 0x4f6cdd1d;
  for (const character of String(content)) {
    const code = character.codePointAt(0)!;
    low = mixed(low ^ code);
    high = mixed(high + low + code);
  }
  return (mixed(high ^ low) >>> 11) * 2 ** 32 + (mixed(low + high) >>> 0);
}

/** The finalizer of MurmurHash3: every bit of the input changes every bit of the output with probability one half. */
function mixed(bits: number): number {
  let h = bits;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
