import { Lists } from './lists.js';

/** One of several queues of blocks that knows its bytes; whether a block is in it is the caller's to know. */
export class SizedList {
  bytes = 0;

  constructor(
    private readonly sizeOf: Float64Array,
    private readonly lists: Lists,
    private readonly list: number,
  ) {}

  pushFront(block: number): void {
    this.lists.pushFront(this.list, block);
    this.bytes += this.sizeOf[block]!;
  }

  remove(block: number): void {
    this.lists.remove(block);
    this.bytes -= this.sizeOf[block]!;
  }

  /** The block at the back, −1 in an empty list. */
  back(): number {
    return this.lists.back(this.list);
  }
}

/** Names of blocks that were given up, the latest in front, with the bytes they had. */
export class GhostList {
  private readonly sizes: Float64Array;
  private readonly list: SizedList;
  private readonly members: Uint8Array;

  constructor(blocks: number) {
    this.sizes = new Float64Array(blocks);
    this.list = new SizedList(this.sizes, new Lists(blocks, 1), 0);
    this.members = new Uint8Array(blocks);
  }

  get bytes(): number {
    return this.list.bytes;
  }

  add(block: number, bytes: number): void {
    this.take(block);
    this.sizes[block] = bytes;
    this.list.pushFront(block);
    this.members[block] = 1;
  }

  /** Removes a block; says whether it was there. */
  take(block: number): boolean {
    if (this.members[block] === 0) return false;
    this.members[block] = 0;
    this.list.remove(block);
    return true;
  }

  /** Forgets the oldest names until no more than these bytes are left. */
  trim(bytes: number): void {
    while (this.list.bytes > bytes) {
      const oldest = this.list.back();
      if (oldest === -1) return;
      this.take(oldest);
    }
  }
}
