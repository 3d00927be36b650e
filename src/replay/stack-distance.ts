import type { Trace } from '../traces/trace.js';

/** How many tokens LRU serves at every capacity: a staircase. */
export interface LruCurve {
  /** Capacities, ascending, from which on more is served. */
  readonly capacityBytes: Float64Array;
  /** Tokens served from each of them on. */
  readonly hitTokens: Float64Array;
  /** Input tokens of the scored requests. */
  readonly inputTokens: number;
}

/**
 * LRU at every capacity in one pass (Mattson et al., 1970): a block is found by an LRU cache that has room for
 * all that was used since the block's last use, itself included. Requests use their blocks tail first and look
 * for them in what the request before left, as in the replay; a prefix ends at the first block that is missing.
 *
 * Exclusive tiers are cuts of the same stack: with blocks of one size, tiers of a and b blocks serve together
 * what one of a + b does, and the first alone what one of a does.
 * @param storedBytes what each block takes.
 * @param warm requests at the start that are not scored.
 */
export function lruCurve(trace: Trace, storedBytes: Float64Array, warm: number): LruCurve {
  const { blocks, blockOffsets, tokensOfBlock } = trace;
  const prefix = trace.reuse === 'prefix';
  const stack = new RecencyStack(storedBytes);
  const served = new Tally();
  let inputTokens = 0;
  const seenBy = new Int32Array(prefix ? 0 : tokensOfBlock.length).fill(-1);
  for (let r = 0; r < trace.requests; r++) {
    const start = blockOffsets[r]!;
    const end = blockOffsets[r + 1]!;
    if (r >= warm) {
      let left = trace.inputTokens[r]!;
      inputTokens += left;
      let needed = 0;
      for (let k = start; k < end && left > 0; k++) {
        const block = blocks[k]!;
        if (!prefix) {
          if (seenBy[block] === r) continue;
          seenBy[block] = r;
        }
        const distance = stack.distance(block);
        needed = prefix ? Math.max(needed, distance) : distance;
        if (needed === Number.POSITIVE_INFINITY) {
          if (prefix) break;
          continue;
        }
        const tokens = Math.min(left, tokensOfBlock[block]!);
        left -= tokens;
        served.add(needed, tokens);
      }
    }
    for (let k = end - 1; k >= start; k--) stack.use(blocks[k]!);
  }
  return { ...served.staircase(), inputTokens };
}

/** The share of the input that LRU serves with this much room. */
export function lruHitRate(curve: LruCurve, capacityBytes: number): number {
  let low = 0;
  let high = curve.capacityBytes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (curve.capacityBytes[middle]! <= capacityBytes) low = middle + 1;
    else high = middle;
  }
  return low === 0 || curve.inputTokens === 0 ? 0 : curve.hitTokens[low - 1]! / curve.inputTokens;
}

/**
 * The blocks by last use, with sums of bytes over any top part: a Fenwick tree over slots, one slot per use.
 * When the slots run out, the blocks move together.
 */
class RecencyStack {
  private readonly slotOf: Int32Array;
  private readonly blockAt: Int32Array;
  private readonly sums: Float64Array;
  private readonly slots: number;
  private next = 1;
  private total = 0;

  constructor(private readonly bytesOf: Float64Array) {
    this.slots = 2 * bytesOf.length + 1;
    this.slotOf = new Int32Array(bytesOf.length);
    this.blockAt = new Int32Array(this.slots + 1).fill(-1);
    this.sums = new Float64Array(this.slots + 1);
  }

  /** Bytes of the blocks used since this one, itself included; Infinity where it was never used. */
  distance(block: number): number {
    const slot = this.slotOf[block]!;
    if (slot === 0) return Number.POSITIVE_INFINITY;
    let below = 0;
    for (let i = slot - 1; i > 0; i -= i & -i) below += this.sums[i]!;
    return this.total - below;
  }

  use(block: number): void {
    const old = this.slotOf[block]!;
    // The latest already.
    if (old !== 0 && old === this.next - 1) return;
    if (old !== 0) this.clear(old, block);
    if (this.next > this.slots) this.moveTogether();
    this.fill(this.next++, block);
  }

  private fill(slot: number, block: number): void {
    this.slotOf[block] = slot;
    this.blockAt[slot] = block;
    this.change(slot, this.bytesOf[block]!);
  }

  private clear(slot: number, block: number): void {
    this.blockAt[slot] = -1;
    this.slotOf[block] = 0;
    this.change(slot, -this.bytesOf[block]!);
  }

  private change(slot: number, bytes: number): void {
    this.total += bytes;
    const { sums, slots } = this;
    for (let i = slot; i <= slots; i += i & -i) sums[i]! += bytes;
  }

  private moveTogether(): void {
    this.sums.fill(0);
    this.total = 0;
    let filled = 1;
    for (let slot = 1; slot < this.next; slot++) {
      const block = this.blockAt[slot]!;
      if (block === -1) continue;
      this.blockAt[slot] = -1;
      this.fill(filled++, block);
    }
    this.next = filled;
  }
}

/** Tokens by distance; as many entries as distances that occurred. */
class Tally {
  private readonly tokens = new Map<number, number>();

  add(distance: number, tokens: number): void {
    this.tokens.set(distance, (this.tokens.get(distance) ?? 0) + tokens);
  }

  staircase(): Pick<LruCurve, 'capacityBytes' | 'hitTokens'> {
    const capacityBytes = Float64Array.from(this.tokens.keys()).sort();
    const hitTokens = new Float64Array(capacityBytes.length);
    let sum = 0;
    capacityBytes.forEach((capacity, i) => {
      sum += this.tokens.get(capacity)!;
      hitTokens[i] = sum;
    });
    return { capacityBytes, hitTokens };
  }
}
