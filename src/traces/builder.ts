import { type Column, longer, picked, sharedColumn } from './column.js';
import type { PlainRequests } from './format.js';
import { DenseIds, Labels } from './ids.js';
import { type Reuse, type Trace, withBlockIds } from './trace.js';

/** What a format knows of a request besides its blocks. */
export interface RequestFields {
  readonly timestampSeconds: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly class?: string | undefined;
  readonly session?: string | undefined;
  readonly tenant?: string | undefined;
}

/** Room to begin with, for all that a megabyte of lines can hold: what is not used takes no memory. */
const FIRST_BLOCKS = 1 << 19;
const FIRST_REQUESTS = 1 << 14;

/**
 * Collects a log request by request in growing columns, which threads can share. A format pushes a request's blocks,
 * head first, then ends the request; what it pushed for a line that turns out to be broken is taken back with `abandon`.
 */
export class TraceBuilder {
  readonly ids = new DenseIds();
  readonly classes = new Labels();
  readonly sessions = new Labels();
  readonly tenants = new Labels();
  readonly warnings: string[] = [];
  /** Set by a format whose block ids are an engine's own keys. */
  engineKeys: Trace['engineKeys'];
  requests = 0;
  private blockCount = 0;
  private blocks = sharedColumn(Int32Array, FIRST_BLOCKS);
  private offsets = sharedColumn(Float64Array, FIRST_REQUESTS);
  private times = sharedColumn(Float64Array, FIRST_REQUESTS);
  private input = sharedColumn(Int32Array, FIRST_REQUESTS);
  private output = sharedColumn(Int32Array, FIRST_REQUESTS);
  private classOf = sharedColumn(Int32Array, FIRST_REQUESTS);
  private sessionOf = sharedColumn(Int32Array, FIRST_REQUESTS);
  private tenantOf = sharedColumn(Int32Array, FIRST_REQUESTS);
  private tokensOfBlock = sharedColumn(Int32Array, 1 << 10);
  private backwards = 0;
  /** Whether a line was taken back: its ids may come later than their numbers say, or never. */
  private abandonedIds = false;

  constructor(readonly reuse: Reuse) {}

  /**
   * Makes room for so many blocks and requests, where it is known about how many will come: growing copies, and takes
   * twice the memory. Room that is never used takes none.
   */
  reserve(blocks: number, requests = 0): void {
    if (blocks > this.blocks.length) this.blocks = longer(this.blocks, blocks);
    if (requests > this.times.length) this.growRequests(requests);
  }

  /** Blocks pushed so far, all requests together. */
  get pushed(): number {
    return this.blockCount;
  }

  /** Adds a block to the request that is being read. */
  push(block: number): void {
    if (this.blockCount === this.blocks.length) this.blocks = longer(this.blocks);
    this.blocks[this.blockCount++] = block;
  }

  /** Adds the blocks with the ids `ids[from .. to)`, whole numbers below 2^31. */
  pushIds(ids: Int32Array, from: number, to: number): void {
    const count = this.blockCount + to - from;
    while (count > this.blocks.length) this.blocks = longer(this.blocks);
    this.ids.ofNumbers(ids, from, to, this.blocks, this.blockCount);
    this.blockCount = count;
  }

  /** Adds a block whose id is a whole number, given by its digits. */
  pushDigits(digits: string): void {
    this.push(this.ids.ofText(digits));
  }

  /** Adds a document with its own length; the first length given for an id stands. */
  pushDocument(block: number, tokens: number): void {
    while (block >= this.tokensOfBlock.length) this.tokensOfBlock = longer(this.tokensOfBlock);
    if (this.tokensOfBlock[block] === 0) this.tokensOfBlock[block] = tokens;
    this.push(block);
  }

  /** The blocks pushed since the last request ended. */
  get pending(): number {
    return this.blockCount - this.offsets[this.requests]!;
  }

  /** Forgets what was pushed since the last request ended. */
  abandon(): void {
    this.abandonedIds ||= this.pending > 0;
    this.blockCount = this.offsets[this.requests]!;
  }

  endRequest(fields: RequestFields): void {
    const r = this.requests;
    if (r + 1 === this.times.length) this.growRequests();
    if (r > 0 && fields.timestampSeconds < this.times[r - 1]!) this.backwards++;
    this.times[r] = fields.timestampSeconds;
    this.input[r] = fields.inputTokens;
    this.output[r] = fields.outputTokens;
    this.classOf[r] = this.classes.of(fields.class);
    this.sessionOf[r] = this.sessions.of(fields.session);
    this.tenantOf[r] = this.tenants.of(fields.tenant);
    this.requests++;
    this.offsets[r + 1] = this.blockCount;
  }

  /** Adds plain requests: what `pushIds` and `endRequest` make of each, without labels. */
  addRequests({ ids, idOffsets, timestampSeconds, inputTokens, outputTokens }: PlainRequests): void {
    const before = this.requests;
    const blocks = this.blockCount;
    const requests = before + inputTokens.length;
    while (requests >= this.times.length) this.growRequests();
    this.pushIds(ids, 0, ids.length);
    this.times.set(timestampSeconds, before);
    this.input.set(inputTokens, before);
    this.output.set(outputTokens, before);
    for (const labels of [this.classOf, this.sessionOf, this.tenantOf]) labels.fill(-1, before, requests);
    for (let r = before; r < requests; r++) {
      if (r > 0 && this.times[r]! < this.times[r - 1]!) this.backwards++;
      this.offsets[r + 1] = blocks + idOffsets[r - before + 1]!;
    }
    this.requests = requests;
  }

  /**
   * The finished trace: sorted by time where the log was not, times counted from the first request.
   * @param blockTokens tokens of a full block, 0 for documents.
   */
  finish(blockTokens: number): Trace {
    const order = this.backwards > 0 ? this.orderByTime() : undefined;
    if (order !== undefined) {
      this.warnings.push(
        `${this.backwards} request${this.backwards === 1 ? '' : 's'} came before the one on the line above: the log was sorted by time.`,
      );
    }
    const n = this.requests;
    const inOrder = <T extends Column>(column: T): T =>
      order === undefined ? (column.subarray(0, n) as T) : picked(column, order);
    const times = inOrder(this.times);
    const first = times[0] ?? 0;
    for (let r = 0; r < n; r++) times[r] = times[r]! - first;
    const { blocks, offsets, renumbered } = this.blocksInOrder(order);
    const tokensOfBlock = sharedColumn(Int32Array, this.ids.size);
    if (blockTokens > 0) tokensOfBlock.fill(blockTokens);
    else
      for (let i = 0; i < this.ids.size; i++)
        tokensOfBlock[renumbered?.[i] ?? i] = this.tokensOfBlock[i] ?? 0;
    return withBlockIds({
      reuse: this.reuse,
      ...(this.engineKeys === undefined ? {} : { engineKeys: this.engineKeys }),
      requests: n,
      timestampSeconds: times,
      inputTokens: inOrder(this.input),
      outputTokens: inOrder(this.output),
      blockOffsets: offsets,
      blocks,
      tokensOfBlock,
      blockTokens,
      ids: this.ids.toColumns(renumbered),
      classOf: inOrder(this.classOf),
      sessionOf: inOrder(this.sessionOf),
      tenantOf: inOrder(this.tenantOf),
      classes: this.classes.list,
      sessions: this.sessions.list,
      tenants: this.tenants.list,
      warnings: this.warnings,
    });
  }

  private orderByTime(): Uint32Array {
    const { times } = this;
    return Uint32Array.from({ length: this.requests }, (_, r) => r).sort(
      (a, b) => times[a]! - times[b]! || a - b,
    );
  }

  /** Blocks request by request in the final order, and renumbered where "in order of first appearance" would not be true else. */
  private blocksInOrder(order: Uint32Array | undefined) {
    if (order === undefined && (!this.abandonedIds || this.numberedByAppearance())) {
      return {
        blocks: this.blocks.subarray(0, this.blockCount),
        offsets: this.offsets.subarray(0, this.requests + 1),
        renumbered: undefined,
      };
    }
    const renumbered = new Int32Array(this.ids.size).fill(-1);
    const blocks = sharedColumn(Int32Array, this.blockCount);
    const offsets = sharedColumn(Float64Array, this.requests + 1);
    let next = 0;
    let at = 0;
    for (let i = 0; i < this.requests; i++) {
      const r = order === undefined ? i : order[i]!;
      for (let k = this.offsets[r]!; k < this.offsets[r + 1]!; k++) {
        const b = this.blocks[k]!;
        if (renumbered[b] === -1) renumbered[b] = next++;
        blocks[at++] = renumbered[b]!;
      }
      offsets[i + 1] = at;
    }
    for (let b = 0; b < renumbered.length; b++) if (renumbered[b] === -1) renumbered[b] = next++;
    return { blocks, offsets, renumbered };
  }

  /** A line that was skipped may have brought in ids that appear later, or never. */
  private numberedByAppearance(): boolean {
    let next = 0;
    for (let k = 0; k < this.blockCount; k++) {
      if (this.blocks[k]! > next) return false;
      if (this.blocks[k] === next) next++;
    }
    return next === this.ids.size;
  }

  private growRequests(length = 2 * this.times.length): void {
    this.offsets = longer(this.offsets, length);
    this.times = longer(this.times, length);
    this.input = longer(this.input, length);
    this.output = longer(this.output, length);
    this.classOf = longer(this.classOf, length);
    this.sessionOf = longer(this.sessionOf, length);
    this.tenantOf = longer(this.tenantOf, length);
  }
}
