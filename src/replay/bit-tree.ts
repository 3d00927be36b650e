/** A set of small whole numbers that finds its largest and its smallest in a few steps: words of 32 bits, each level a summary of the one below. */
export class BitTree {
  private readonly levels: Int32Array[] = [];

  constructor(size: number) {
    for (let words = Math.ceil(size / 32); ; words = Math.ceil(words / 32)) {
      this.levels.push(new Int32Array(Math.max(1, words)));
      if (words <= 1) return;
    }
  }

  add(value: number): void {
    for (const words of this.levels) {
      const before = words[value >>> 5]!;
      words[value >>> 5] = before | (1 << (value & 31));
      // The levels above know of a word that was not empty.
      if (before !== 0) return;
      value >>>= 5;
    }
  }

  delete(value: number): void {
    for (const words of this.levels) {
      words[value >>> 5]! &= ~(1 << (value & 31));
      if (words[value >>> 5] !== 0) return;
      value >>>= 5;
    }
  }

  /** The largest member, −1 where there is none. */
  max(): number {
    let value = 0;
    for (let level = this.levels.length - 1; level >= 0; level--) {
      const word = this.levels[level]![value]!;
      if (word === 0) return -1;
      value = 32 * value + 31 - Math.clz32(word);
    }
    return value;
  }

  /** The smallest member, −1 where there is none. */
  min(): number {
    let value = 0;
    for (let level = this.levels.length - 1; level >= 0; level--) {
      const word = this.levels[level]![value]!;
      if (word === 0) return -1;
      value = 32 * value + 31 - Math.clz32(word & -word);
    }
    return value;
  }
}
