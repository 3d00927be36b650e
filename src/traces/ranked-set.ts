/**
 * A set of whole numbers below a limit that tells how many smaller ones it has. Layout: number n is bit n % 32 of word
 * ⌊n / 32⌋, so that even of a long log all lies in a processor's cache.
 */
export class RankedSet {
  private readonly words: Int32Array;
  /** By word: members in the words before it; filled in by `members`. */
  private readonly before: Int32Array;

  constructor(limit: number) {
    this.words = new Int32Array((limit + 31) >>> 5);
    this.before = new Int32Array(this.words.length);
  }

  add(number: number): void {
    this.words[number >>> 5]! |= 1 << number;
  }

  /** All members, ascending. From here on `rank` holds. */
  members(): Int32Array {
    const { words, before } = this;
    let count = 0;
    for (let i = 0; i < words.length; i++) {
      before[i] = count;
      count += bitsIn(words[i]!);
    }
    const members = new Int32Array(count);
    let at = 0;
    for (let i = 0; i < words.length; i++)
      for (let word = words[i]!; word !== 0; word &= word - 1)
        members[at++] = 32 * i + 31 - Math.clz32(word & -word);
    return members;
  }

  /** The place of a member among all, from 0. */
  rank(number: number): number {
    const i = number >>> 5;
    return this.before[i]! + bitsIn(this.words[i]! & ((1 << number) - 1));
  }
}

/** How many bits of 32 are set (Hacker's Delight, section 5-1). */
function bitsIn(word: number): number {
  let sums = word - ((word >>> 1) & 0x55555555);
  sums = (sums & 0x33333333) + ((sums >>> 2) & 0x33333333);
  sums = (sums + (sums >>> 4)) & 0x0f0f0f0f;
  return Math.imul(sums, 0x01010101) >>> 24;
}
