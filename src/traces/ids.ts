/** A direct table may be this much larger than the number of ids it holds before a hash map takes over. */
const TABLE_SLACK = 64;
/** Direct tables start with room for ids below this. */
const FIRST_TABLE = 1 << 16;
/** No direct table beyond this many entries (256 MiB). */
const LARGEST_TABLE = 1 << 26;

/**
 * Gives the ids of a log dense numbers in order of first appearance. Small whole numbers go through a direct
 * table, everything else through hash maps; ids that a double cannot hold exactly are kept as text. Most published
 * logs are numbered in that order already: as far as every id is its own number, nothing is looked up or kept.
 */
export class DenseIds {
  /** Whether every id met so far is its own dense number; the table and the columns are then empty. */
  private isInOrder = true;
  /** By id: its dense number plus 1, 0 where it has none yet; memory that nobody wrote to costs nothing. */
  private table = new Int32Array(FIRST_TABLE);
  private readonly large = new Map<number, number>();
  private readonly texts = new Map<string, number>();
  /** By dense number: the id; in 32 bits as long as all are whole numbers that fit. */
  private numbers: Int32Array | Float64Array = new Int32Array(1024);
  private readonly textOf = new Map<number, string>();
  size = 0;

  /** The dense number of a whole, non-negative id below 2^53. */
  ofNumber(id: number): number {
    if (this.isInOrder) {
      if (id < this.size) return id;
      if (id === this.size) return this.size++;
      this.leaveOrder();
    }
    if (id < this.table.length) {
      const known = this.table[id]!;
      if (known > 0) return known - 1;
      this.table[id] = this.size + 1;
      return this.append(id);
    }
    return this.ofLargeNumber(id);
  }

  /** The dense number of an id as it stands in a log; signed hashes are told apart as text. */
  of(id: number | string): number {
    return typeof id === 'number' && id >= 0 ? this.ofNumber(id) : this.ofText(String(id));
  }

  /** The dense numbers of the ids `ids[from .. to)`, whole numbers below 2^31, into a column from a place on. */
  ofNumbers(ids: Int32Array, from: number, to: number, column: Int32Array, at: number): void {
    let i = from;
    if (this.isInOrder) {
      let next = this.size;
      for (; i < to && ids[i]! <= next; i++) {
        const id = ids[i]!;
        if (id === next) next++;
        column[at++] = id;
      }
      this.size = next;
      if (i === to) return;
      this.leaveOrder();
    }
    this.makeRoom(to - i);
    let { table, numbers, size } = this;
    for (; i < to; i++) {
      const id = ids[i]!;
      if (id < table.length) {
        let number = table[id]!;
        if (number === 0) {
          numbers[size++] = id;
          number = size;
          table[id] = number;
        }
        column[at++] = number - 1;
      } else {
        this.size = size;
        column[at++] = this.ofLargeNumber(id);
        ({ table, numbers, size } = this);
      }
    }
    this.size = size;
  }

  /** The dense number of an id given as text; `"17"` and 17 are one id. */
  ofText(text: string): number {
    if (/^(?:0|[1-9]\d{0,14})$/.test(text)) return this.ofNumber(Number(text));
    if (this.isInOrder) this.leaveOrder();
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    this.texts.set(text, this.size);
    this.textOf.set(this.size, text);
    return this.append(Number.NaN);
  }

  /** The ids in columns, the id with dense number i at place `renumbered[i]`, at i itself without it. */
  toColumns(renumbered?: Int32Array): IdColumns {
    const count = this.size;
    if (this.isInOrder) {
      if (renumbered === undefined) return { count, texts: [] };
      this.leaveOrder();
    }
    let numbers = this.numbers.subarray(0, count);
    if (renumbered !== undefined) {
      const placed = numbers.slice();
      for (let i = 0; i < count; i++) placed[renumbered[i]!] = numbers[i]!;
      numbers = placed;
    }
    const placed = [...this.textOf].map(([dense, text]) => [renumbered?.[dense] ?? dense, text] as const);
    placed.sort(([a], [b]) => a - b);
    return { count, numbers, texts: placed.map(([, text]) => text) };
  }

  /** The id with a dense number, as text. */
  toText(dense: number): string {
    return this.textOf.get(dense) ?? String(this.isInOrder ? dense : this.numbers[dense]!);
  }

  /** From now on ids are looked up, those met so far too. */
  private leaveOrder(): void {
    const met = this.size;
    this.isInOrder = false;
    this.size = 0;
    for (let id = 0; id < met; id++) this.ofNumber(id);
  }

  private ofLargeNumber(id: number): number {
    if (id < LARGEST_TABLE && id < (this.size + 1024) * TABLE_SLACK) {
      this.growTable(id);
      return this.ofNumber(id);
    }
    const known = this.large.get(id);
    if (known !== undefined) return known;
    this.large.set(id, this.size);
    return this.append(id);
  }

  /** Ids met before the table grew move into it, so that an id is in one place only. */
  private growTable(id: number): void {
    let length = this.table.length;
    while (length <= id) length *= 4;
    const table = new Int32Array(length);
    table.set(this.table);
    for (const [known, dense] of this.large) {
      if (known < length) {
        table[known] = dense + 1;
        this.large.delete(known);
      }
    }
    this.table = table;
  }

  private append(id: number): number {
    this.makeRoom(1);
    if (this.numbers instanceof Int32Array && !(id < 2 ** 31)) this.numbers = new Float64Array(this.numbers);
    this.numbers[this.size] = id;
    return this.size++;
  }

  /** Room for so many more ids. */
  private makeRoom(count: number): void {
    let { length } = this.numbers;
    if (this.size + count <= length) return;
    while (length < this.size + count) length *= 2;
    const larger = this.numbers instanceof Int32Array ? new Int32Array(length) : new Float64Array(length);
    larger.set(this.numbers);
    this.numbers = larger;
  }
}

/** A log's own ids by dense number. */
export interface IdColumns {
  readonly count: number;
  /**
   * Those that are numbers, and NaN where the next of the texts stands; whole numbers below 2^31 only take half the
   * room. Undefined where every id is its own dense number.
   */
  readonly numbers?: Float64Array | Int32Array;
  readonly texts: readonly string[];
}

/** The ids by dense number, as text. */
export function idTexts({ count, numbers, texts }: IdColumns): string[] {
  const ids = new Array<string>(count);
  let next = 0;
  for (let i = 0; i < count; i++) {
    const id = numbers === undefined ? i : numbers[i]!;
    ids[i] = Number.isNaN(id) ? texts[next++]! : String(id);
  }
  return ids;
}

/** Labels (classes, sessions, tenants) as indexes, in order of first appearance; −1 for none. */
export class Labels {
  private readonly indexes = new Map<string, number>();
  readonly list: string[] = [];

  of(label: string | undefined): number {
    if (label === undefined) return -1;
    let index = this.indexes.get(label);
    if (index === undefined) {
      index = this.list.length;
      this.indexes.set(label, index);
      this.list.push(label);
    }
    return index;
  }
}
