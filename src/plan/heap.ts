/** A binary heap of (score, item), smallest score first; equal scores come by item, so that runs repeat. */
export class MinHeap {
  private readonly scores: number[] = [];
  private readonly items: number[] = [];

  get size(): number {
    return this.items.length;
  }

  /** The smallest score; Infinity when empty. */
  get least(): number {
    return this.scores[0] ?? Number.POSITIVE_INFINITY;
  }

  push(score: number, item: number): void {
    let at = this.items.length;
    this.scores.push(score);
    this.items.push(item);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.before(at, up)) break;
      this.swap(at, up);
      at = up;
    }
  }

  /** Removes and returns the item of the smallest score. */
  pop(): number {
    const item = this.items[0]!;
    const lastScore = this.scores.pop()!;
    const lastItem = this.items.pop()!;
    if (this.items.length > 0) {
      this.scores[0] = lastScore;
      this.items[0] = lastItem;
      this.sink(0);
    }
    return item;
  }

  private sink(start: number): void {
    let at = start;
    for (;;) {
      let least = at;
      if (2 * at + 1 < this.items.length && this.before(2 * at + 1, least)) least = 2 * at + 1;
      if (2 * at + 2 < this.items.length && this.before(2 * at + 2, least)) least = 2 * at + 2;
      if (least === at) return;
      this.swap(at, least);
      at = least;
    }
  }

  private before(a: number, b: number): boolean {
    return (
      this.scores[a]! < this.scores[b]! ||
      (this.scores[a] === this.scores[b] && this.items[a]! < this.items[b]!)
    );
  }

  private swap(a: number, b: number): void {
    [this.scores[a], this.scores[b]] = [this.scores[b]!, this.scores[a]!];
    [this.items[a], this.items[b]] = [this.items[b]!, this.items[a]!];
  }
}
