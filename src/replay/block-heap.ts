/**
 * A binary heap over dense ids whose keys may change, least key first; of equal keys the one used longest ago.
 * Keys and uses live with the caller, by id, so that heaps of several tiers share them; `update` tells of a change.
 */
export class BlockHeap {
  /** By id: its place in the heap, −1 outside. */
  private readonly placeOf: Int32Array;
  private ids = new Int32Array(1 << 10);
  size = 0;

  constructor(
    private readonly keys: Float64Array,
    private readonly lastUse: Float64Array,
  ) {
    this.placeOf = new Int32Array(keys.length).fill(-1);
  }

  add(id: number): void {
    if (this.size === this.ids.length) {
      const longer = new Int32Array(2 * this.ids.length);
      longer.set(this.ids);
      this.ids = longer;
    }
    this.rise(this.size++, id);
  }

  /** The key or the last use of a member has changed. */
  update(id: number): void {
    this.settle(this.placeOf[id]!, id);
  }

  remove(id: number): void {
    const place = this.placeOf[id]!;
    this.placeOf[id] = -1;
    const last = this.ids[--this.size]!;
    if (last !== id) this.settle(place, last);
  }

  /** The member of the least key; the heap is not empty. */
  least(): number {
    return this.ids[0]!;
  }

  private settle(place: number, id: number): void {
    if (place > 0 && this.before(id, this.ids[(place - 1) >> 1]!)) this.rise(place, id);
    else this.sink(place, id);
  }

  private rise(start: number, id: number): void {
    const { ids, placeOf } = this;
    let place = start;
    while (place > 0) {
      const up = (place - 1) >> 1;
      const other = ids[up]!;
      if (!this.before(id, other)) break;
      ids[place] = other;
      placeOf[other] = place;
      place = up;
    }
    ids[place] = id;
    placeOf[id] = place;
  }

  private sink(start: number, id: number): void {
    const { ids, placeOf, size } = this;
    let place = start;
    for (;;) {
      let down = 2 * place + 1;
      if (down >= size) break;
      if (down + 1 < size && this.before(ids[down + 1]!, ids[down]!)) down++;
      const other = ids[down]!;
      if (!this.before(other, id)) break;
      ids[place] = other;
      placeOf[other] = place;
      place = down;
    }
    ids[place] = id;
    placeOf[id] = place;
  }

  private before(a: number, b: number): boolean {
    const { keys, lastUse } = this;
    return keys[a]! < keys[b]! || (keys[a] === keys[b] && lastUse[a]! < lastUse[b]!);
  }
}
