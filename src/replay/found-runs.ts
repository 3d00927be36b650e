/** What of a request lies in the caches: runs of blocks of one tier, from the head on. */
export class FoundRuns {
  count = 0;
  readonly tierOf: Int32Array;
  readonly blocksOf: Int32Array;

  /** @param most blocks of the longest request. */
  constructor(most: number) {
    this.tierOf = new Int32Array(most);
    this.blocksOf = new Int32Array(most);
  }

  clear(): void {
    this.count = 0;
  }

  /** The next blocks; they lengthen the last run where they lie in the same tier. */
  add(tier: number, blocks: number): void {
    const last = this.count - 1;
    if (last >= 0 && this.tierOf[last] === tier) this.blocksOf[last]! += blocks;
    else {
      this.tierOf[this.count] = tier;
      this.blocksOf[this.count++] = blocks;
    }
  }
}
