import type { Trace } from '../../traces/trace.js';
import type { LogFacts } from '../log-facts.js';

/** Hears of runs that are cut in two. The head has the run's number in every column by then. */
export interface SplitObserver {
  /** The first `length` blocks of `run` have become the run `head`; `run` keeps the rest. */
  onSplit(run: number, head: number, length: number): void;
}

/**
 * The blocks of a log as runs: a run is a chain of blocks that were always used together so far, in path
 * order, so that a request reads and updates a few runs instead of hundreds of blocks. A request that leaves a
 * run halfway cuts it in two; branches therefore begin at the end of a run. Rows are never freed: there are at
 * most as many as the whole log has spans, so that columns have their full length from the start.
 */
export class RunTable {
  /** By block: its run, −1 where it has not been seen. */
  readonly runOf: Int32Array;
  /**
   * By run: its first block, how many blocks, the request that used it last, the run before it (−1: none). A
   * run's blocks have consecutive numbers: they were all seen first in one request.
   */
  readonly first: Int32Array;
  readonly length: Int32Array;
  readonly lastUse: Int32Array;
  readonly parent: Int32Array;
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
  readonly uses: Int32Array;
  /** As many runs as there will ever be. */
  readonly most: number;
  /** All columns by the kind of their numbers: a loop for each need not ask for it. */
  private readonly ints: Int32Array[] = [];
  private readonly floats: Float64Array[] = [];
  private readonly bytes: Uint8Array[] = [];
  private readonly observers: SplitObserver[] = [];
  /** By run: 1 + the request that walked it last, where blocks are single. */
  private readonly seenBy: Int32Array;
  private readonly chained: boolean;

  constructor(
    private readonly trace: Trace,
    facts: LogFacts,
  ) {
    this.runOf = new Int32Array(trace.tokensOfBlock.length).fill(-1);
    this.chained = facts.chained;
    this.most = facts.chained ? facts.spans.firstBlock.length - 1 : trace.tokensOfBlock.length;
    this.first = this.int32();
    this.length = this.int32();
    this.lastUse = this.int32();
    this.parent = this.int32();
    this.uses = this.int32();
    this.seenBy = this.int32();
  }

  /** A column by run. Where a run is cut in two, both parts have its number. */
  int32(): Int32Array {
    return kept(this.ints, new Int32Array(this.most));
  }

  float64(): Float64Array {
    return kept(this.floats, new Float64Array(this.most));
  }

  uint8(): Uint8Array {
    return kept(this.bytes, new Uint8Array(this.most));
  }

  /** Tokens of each of a run's blocks. */
  tokensPerBlock(run: number): number {
    return this.trace.blockTokens || this.trace.tokensOfBlock[this.first[run]!]!;
  }

  /** Records the walked request as each run's last use. */
  settle(): void {
    for (let i = 0; i < this.pathLength; i++) {
      const run = this.path[i]!;
      this.uses[run]!++;
      this.lastUse[run] = this.now;
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
      before = length === this.length[run]! ? run : this.split(run, at, length);
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
        this.seenBy[added] = request + 1;
        fresh.push(added);
      } else if (this.seenBy[run] !== request + 1) {
        this.seenBy[run] = request + 1;
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
    this.pathBlocks[this.pathLength] = this.length[run]!;
    this.pathTokens[this.pathLength++] = this.tokensPerBlock(run);
  }

  private add(request: number, start: number, end: number, parent: number): number {
    const { blocks } = this.trace;
    const run = this.count++;
    for (let k = start; k < end; k++) this.runOf[blocks[k]!] = run;
    this.first[run] = blocks[start]!;
    this.length[run] = end - start;
    this.lastUse[run] = request;
    this.parent[run] = parent;
    return run;
  }

  private split(run: number, at: number, length: number): number {
    const { blocks } = this.trace;
    const head = this.count++;
    for (const column of this.ints) column[head] = column[run]!;
    for (const column of this.floats) column[head] = column[run]!;
    for (const column of this.bytes) column[head] = column[run]!;
    this.length[head] = length;
    this.first[run]! += length;
    this.length[run]! -= length;
    this.parent[run] = head;
    for (let k = at; k < at + length; k++) this.runOf[blocks[k]!] = head;
    for (const observer of this.observers) observer.onSplit(run, head, length);
    return head;
  }
}

function longer(values: Int32Array): Int32Array<ArrayBuffer> {
  const twice = new Int32Array(2 * values.length);
  twice.set(values);
  return twice;
}

function kept<T>(columns: T[], column: T): T {
  columns.push(column);
  return column;
}
