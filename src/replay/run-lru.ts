import type { Policy, PolicySetting } from './policy.js';

/**
 * LRU over exclusive tiers, span by span instead of block by block, with the very same outcome. It needs chained
 * ids and blocks of one size: then what a request used last and nobody used since is one run of its path, its head
 * goes where a later request uses it, its tail where room is needed. So every request has one run per tier, runs
 * are ordered by their request, and no list is kept: an order of eviction is a number that only grows. Where a
 * block lies follows from the run it is in, so nothing is written by block before the end.
 */
export class RunLru implements Policy {
  readonly findsRuns = true;
  /** By span: the request that used it last, −1 before. */
  private readonly userOf: Int32Array;
  /**
   * Where a request's run is cut into tiers, in blocks from the head of its path. Layout: request · (tiers + 1) +
   * tier; what lies in a tier reaches from the tier's cut to the next one's.
   */
  private readonly cuts: Int32Array;
  /** By tier: no request before this one has a run there. */
  private readonly oldest: Int32Array;
  private readonly tiers: number;

  constructor(private readonly setting: PolicySetting) {
    const { trace, tiers, facts } = setting;
    this.tiers = tiers.length;
    this.userOf = new Int32Array(facts.spans.firstBlock.length).fill(-1);
    this.cuts = new Int32Array(trace.requests * (tiers.length + 1));
    this.oldest = new Int32Array(tiers.length);
  }

  serve(request: number): void {
    const { userOf, cuts, tiers } = this;
    const { trace, store, facts, scorekeeper } = this.setting;
    const { spans, offsets, firstBlock } = facts.spans;
    const width = tiers + 1;
    const end = offsets[request + 1]!;
    let i = offsets[request]!;
    /** Blocks of the path that were found, from its head. */
    let at = 0;
    scorekeeper.found.clear();
    while (i < end) {
      const user = userOf[spans[i]!]!;
      if (user < 0) break;
      const kept = cuts[user * width + tiers]!;
      if (kept <= at) break;
      const from = at;
      for (; i < end && at < kept; i++) {
        const span = spans[i]!;
        if (userOf[span] !== user) break;
        userOf[span] = request;
        at += firstBlock[span + 1]! - firstBlock[span]!;
      }
      const partly = at > kept;
      if (partly) at = kept;
      this.takeFrom(user, from, at);
      if (partly) break;
    }
    for (; i < end; i++) userOf[spans[i]!] = request;
    const length = trace.blockOffsets[request + 1]! - trace.blockOffsets[request]!;
    if (at < length) store.addEach(length - at, 0);
    for (let cut = request * width + 1; cut < (request + 1) * width; cut++) cuts[cut] = length;
    for (let tier = 0; tier < tiers; tier++) if (store.overflows(tier)) this.settle(tier);
  }

  /** The head of a user's run, from one position of its path to another, goes up. */
  private takeFrom(user: number, from: number, to: number): void {
    const { cuts, tiers } = this;
    const { store, scorekeeper } = this.setting;
    const at = user * (tiers + 1);
    for (let tier = 0; tier < tiers; tier++) {
      const low = Math.max(from, cuts[at + tier]!);
      const high = Math.min(to, cuts[at + tier + 1]!);
      if (low >= high) continue;
      scorekeeper.found.add(tier, high - low);
      if (tier > 0) store.moveEach(high - low, tier, 0);
    }
    for (let cut = at; cut <= at + tiers; cut++) if (cuts[cut]! < to) cuts[cut] = to;
  }

  /** What a tier has no room for falls into the next one, from the last for good. */
  private settle(tier: number): void {
    const { cuts, oldest, tiers } = this;
    const { store } = this.setting;
    const all = store.excessOf(tier);
    let excess = all;
    while (excess > 0) {
      const user = oldest[tier]!;
      const at = user * (tiers + 1) + tier;
      const from = cuts[at]!;
      const end = cuts[at + 1]!;
      if (from === end) {
        oldest[tier] = user + 1;
        continue;
      }
      const count = Math.min(end - from, excess);
      cuts[at + 1] = end - count;
      excess -= count;
    }
    if (tier + 1 === tiers) store.dropEach(all, tier);
    else store.moveEach(all, tier, tier + 1);
  }

  finish(): void {
    const { cuts, tiers } = this;
    const { trace, store } = this.setting;
    const { blocks, blockOffsets, requests } = trace;
    for (let user = 0; user < requests; user++) {
      const start = blockOffsets[user]!;
      const at = user * (tiers + 1);
      for (let tier = 0; tier < tiers; tier++)
        for (let k = cuts[at + tier]!; k < cuts[at + tier + 1]!; k++) store.tierOf[blocks[start + k]!] = tier;
    }
  }
}
