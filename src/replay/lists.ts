/**
 * Doubly linked lists over dense ids in two typed arrays; an id is in at most one list. Layout: entries
 * 0 … items − 1 are the ids, entry items + l is the head of list l, whose next is the list's front.
 */
export class Lists {
  readonly next: Int32Array;
  readonly previous: Int32Array;

  constructor(
    private readonly items: number,
    lists: number,
  ) {
    this.next = new Int32Array(items + lists).fill(-1);
    this.previous = new Int32Array(items + lists).fill(-1);
    for (let head = items; head < items + lists; head++) {
      this.next[head] = head;
      this.previous[head] = head;
    }
  }

  pushFront(list: number, id: number): void {
    const { next, previous } = this;
    const head = this.items + list;
    const first = next[head]!;
    next[id] = first;
    previous[id] = head;
    previous[first] = id;
    next[head] = id;
  }

  remove(id: number): void {
    const { next, previous } = this;
    const after = next[id]!;
    const before = previous[id]!;
    next[before] = after;
    previous[after] = before;
  }

  /** Moves ids that lie in a list one behind the other, from `first` to `last`, to its front as they are. */
  moveToFront(list: number, first: number, last: number): void {
    const { next, previous } = this;
    const head = this.items + list;
    const before = previous[first]!;
    if (before === head) return;
    const after = next[last]!;
    next[before] = after;
    previous[after] = before;
    const front = next[head]!;
    next[last] = front;
    previous[front] = last;
    previous[first] = head;
    next[head] = first;
  }

  /** The id at the back, −1 for an empty list. */
  back(list: number): number {
    const last = this.previous[this.items + list]!;
    return last >= this.items ? -1 : last;
  }

  /** The id at the front, −1 for an empty list. */
  front(list: number): number {
    const first = this.next[this.items + list]!;
    return first >= this.items ? -1 : first;
  }

  /** The id behind another towards the front, −1 at the front. */
  ahead(id: number): number {
    const before = this.previous[id]!;
    return before >= this.items ? -1 : before;
  }

  isEmpty(list: number): boolean {
    return this.next[this.items + list]! >= this.items;
  }
}
