import type { Trace } from '../../traces/trace.js';
import type { LogFacts } from '../log-facts.js';

type Numbers = Int32Array | Float64Array | Uint8Array;

/** One or more numbers per run; `data` is replaced when the table grows. Layout: run · width + i. */
export interface Column<T extends Numbers> {
  data: T;
  readonly width: number;
}

/** Hears of runs that are cut in two. All columns have been copied to the head by then. */
export interface SplitObserver {
  /** The first `length` blocks of `run` have become the run `head`; `run` keeps the rest. */
  onSplit(run: number, head: number, length: number): void;
}

const FIRST_CAPACITY = 1 << 12;

/**
 * The blocks of a log as runs: a run is a chain of blocks that were always used together so far, in path
 * order, so that a request reads and updates a few runs instead of hundreds of blocks. A request that leaves a
 * run halfway cuts it in two; branches therefore begin at the end of a run. Rows are never freed: there are as
 * many as the log's tree has branches.
 */
export class RunTable {
  /** By block: its run, −1 where it has not been seen. */
  readonly runOf: Int32Array;
  /**
   * By run: its first block, how many blocks, the request that used it last, the run before it (−1: none). A
   * run's blocks have consecutive numbers: they were all seen first in one request.
   */
  readonly first: Column<Int32Array>;
  readonly length: Column<Int32Array>;
  readonly lastUse: Column<Int32Array>;
  readonly parent: Column<Int32Array>;
  /** The runs of the request that was walked last, head first, known ones before new ones. */
  path = new Int32Array(256);
  /** Of each of these runs: how many blocks, and tokens of each. */
  pathBlocks = new Int32Array(256);
  pathTokens = new Int32Array(256);
  pathLength = 0;
  knownLength = 0;
  /** The request that was walked last. */
  now = -1;
  count = 0;
  /** By run: how often it was used before the request that was walked last. */
  readonly uses: Column<Int32Array>;
  private capacity = FIRST_CAPACITY;
  /** All columns by the kind of their numbers, so that rows are copied without asking for it. */
  private readonly ints: Column<Int32Array>[] = [];
  private readonly floats: Column<Float64Array>[] = [];
  private readonly bytes: Column<Uint8Array>[] = [];
  private readonly observers: SplitObserver[] = [];
  /** By run: 1 + the request that walked it last, where blocks are single. */
  private readonly seenBy: Column<Int32Array>;
  private readonly chained: boolean;

  constructor(
    private readonly trace: Trace,
    facts: LogFacts,
  ) {
    this.runOf = new Int32Array(trace.tokensOfBlock.length).fill(-1);
    this.chained = facts.chained;
    this.first = this.int32();
    this.length = this.int32();
    this.lastUse = this.int32();
    this.parent = this.int32();
    this.uses = this.int32();
    this.seenBy = this.int32();
  }

  int32(width = 1): Column<Int32Array> {
    return added(this.ints, { data: new Int32Array(this.capacity * width), width });
  }

  float64(width = 1): Column<Float64Array> {
    return added(this.floats, { data: new Float64Array(this.capacity * width), width });
  }

  uint8(width = 1): Column<Uint8Array> {
    return added(this.bytes, { data: new Uint8Array(this.capacity * width), width });
  }

  /** Tokens of each of a run's blocks. */
  tokensPerBlock(run: number): number {
    return this.trace.blockTokens || this.trace.tokensOfBlock[this.first.data[run]!]!;
  }

  /** Records the walked request as each run's last use. */
  settle(): void {
    for (let i = 0; i < this.pathLength; i++) {
      const run = this.path[i]!;
      this.uses.data[run]!++;
      this.lastUse.data[run] = this.now;
    }
  }

  observe(observer: SplitObserver): void {
    this.observers.push(observer);
  }

  /** Finds the runs of a request's path, cutting and adding runs so that the path consists of whole ones. */
  walk(request: number): void {
    const { blocks, blockOffsets } = this.trace;
    const end = blockOffsets[request + 1]!;
    let at = blockOffsets[request]!;
    this.pathLength = 0;
    this.now = request;
    if (!this.chained) {
      this.walkSingles(request, at, end);
      return;
    }
    const { runOf } = this;
    let before = -1;
    while (at < end) {
      const run = runOf[blocks[at]!]!;
      if (run === -1) break;
      let length = 1;
      while (at + length < end && runOf[blocks[at + length]!] === run) length++;
      before = length === this.length.data[run]! ? run : this.split(run, at, length);
      this.append(before);
      at += length;
    }
    this.knownLength = this.pathLength;
    if (at < end) this.append(this.add(request, at, end, before));
  }

  /** Blocks that do not stand for their prefix: each is a run of its own, once a request. */
  private walkSingles(request: number, start: number, end: number): void {
    const { blocks } = this.trace;
    const fresh: number[] = [];
    for (let k = start; k < end; k++) {
      const run = this.runOf[blocks[k]!]!;
      if (run === -1) {
        const added = this.add(request, k, k + 1, -1);
        this.seenBy.data[added] = request + 1;
        fresh.push(added);
      } else if (this.seenBy.data[run] !== request + 1) {
        this.seenBy.data[run] = request + 1;
        this.append(run);
      }
    }
    this.knownLength = this.pathLength;
    for (const run of fresh) this.append(run);
  }

  private append(run: number): void {
    if (this.pathLength === this.path.length) {
      this.path = longer(this.path);
      this.pathBlocks = longer(this.pathBlocks);
      this.pathTokens = longer(this.pathTokens);
    }
    this.path[this.pathLength] = run;
    this.pathBlocks[this.pathLength] = this.length.data[run]!;
    this.pathTokens[this.pathLength++] = this.tokensPerBlock(run);
  }

  private add(request: number, start: number, end: number, parent: number): number {
    const { blocks } = this.trace;
    const run = this.newRow();
    for (let k = start; k < end; k++) this.runOf[blocks[k]!] = run;
    this.first.data[run] = blocks[start]!;
    this.length.data[run] = end - start;
    this.lastUse.data[run] = request;
    this.parent.data[run] = parent;
    return run;
  }

  private split(run: number, at: number, length: number): number {
    const { blocks } = this.trace;
    const head = this.newRow();
    for (let c = 0; c < this.ints.length; c++) copyInts(this.ints[c]!, run, head);
    for (let c = 0; c < this.floats.length; c++) copyFloats(this.floats[c]!, run, head);
    for (let c = 0; c < this.bytes.length; c++) copyBytes(this.bytes[c]!, run, head);
    this.length.data[head] = length;
    this.first.data[run]! += length;
    this.length.data[run]! -= length;
    this.parent.data[run] = head;
    for (let k = at; k < at + length; k++) this.runOf[blocks[k]!] = head;
    for (const observer of this.observers) observer.onSplit(run, head, length);
    return head;
  }

  private newRow(): number {
    if (this.count === this.capacity) this.grow();
    return this.count++;
  }

  private grow(): void {
    this.capacity *= 2;
    const grown = <T extends Numbers>(larger: T, data: T): T => {
      larger.set(data);
      return larger;
    };
    for (const column of this.ints)
      column.data = grown(new Int32Array(this.capacity * column.width), column.data);
    for (const column of this.floats)
      column.data = grown(new Float64Array(this.capacity * column.width), column.data);
    for (const column of this.bytes)
      column.data = grown(new Uint8Array(this.capacity * column.width), column.data);
  }
}

function longer(values: Int32Array): Int32Array<ArrayBuffer> {
  const twice = new Int32Array(2 * values.length);
  twice.set(values);
  return twice;
}

function added<T>(list: T[], entry: T): T {
  list.push(entry);
  return entry;
}

// One number after the other, as rows are too short for a call of `copyWithin` to pay; one function for each kind of
// numbers, as one for all has to ask for the kind at every number.

function copyInts({ data, width }: Column<Int32Array>, from: number, to: number): void {
  for (let i = 0; i < width; i++) data[to * width + i] = data[from * width + i]!;
}

function copyFloats({ data, width }: Column<Float64Array>, from: number, to: number): void {
  for (let i = 0; i < width; i++) data[to * width + i] = data[from * width + i]!;
}

function copyBytes({ data, width }: Column<Uint8Array>, from: number, to: number): void {
  for (let i = 0; i < width; i++) data[to * width + i] = data[from * width + i]!;
}
